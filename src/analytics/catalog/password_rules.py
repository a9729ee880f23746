"""Which passwords may be set: long ones that are not among the first that anybody would try.

As NIST's SP 800-63B has it: a length, a list, and nothing about digits or capitals. The list is
that of zxcvbn (30,000 passwords by how often they leaked). Its estimator is not used: it can take
seconds over one password, and what this costs must not be its sender's to choose.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Final

from analytics.errors import Malformed

MIN_CHARS: Final = 10
MAX_CHARS: Final = 256
_FEWEST_DIFFERENT: Final = 5
_LONGEST_CORE: Final = 64
_OURS: Final = frozenset({"analytics", "hitledger"})


def check(password: str, email: str) -> None:
    """Raise `Malformed` unless *password* may be that of the account of *email*."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise Malformed("password", f"choose a password of {MIN_CHARS} to {MAX_CHARS} characters")
    if len(set(password)) < _FEWEST_DIFFERENT or _is_run(password):
        raise Malformed(
            "password",
            "choose another password: this one repeats characters or counts, and attackers try"
            " that first",
        )
    lowered = password.lower()
    if lowered in _common() or _core(lowered) in _common():
        raise Malformed(
            "password",
            "choose another password: this one is common, and attackers try it first;"
            " a few unrelated words make a good one",
        )
    name, _, host = email.strip().lower().partition("@")
    known = {email.strip().lower(), name, host, host.partition(".")[0], *_OURS}
    if lowered in known or _core(lowered) in known - {""}:
        raise Malformed(
            "password",
            "choose another password: this one is the email address, or a name of this server",
        )


def _core(lowered: str) -> str:
    """What is left without the digits and signs that people put around a word."""
    start, end = 0, len(lowered)
    while start < end and not lowered[start].isalpha():
        start += 1
    while end > start and not lowered[end - 1].isalpha():
        end -= 1
    return lowered[start:end] if end - start <= _LONGEST_CORE else ""


def _is_run(password: str) -> bool:
    """Return whether it is one short piece again and again, or counts up or down."""
    period = (password + password).find(password, 1)
    if period <= len(password) // 2 and period < _FEWEST_DIFFERENT:
        return True
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return steps in ({1}, {-1}, {0})


@cache
def _common() -> frozenset[str]:
    # Here, because the list takes 15 MB, and most processes never set a password.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
