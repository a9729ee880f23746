"""The rules for new passwords: long, and not among those that attackers try first.

They follow NIST SP 800-63B: a minimum length and a list of common passwords, but no rules about
digits or capitals. The list is that of zxcvbn (30,000 leaked passwords, ordered by frequency). Its
strength estimator is not used, because a sender could make it take seconds for one password.
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
    """Raise `Malformed` unless *password* is allowed for the account of *email*."""
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
    own_names = {email.strip().lower(), name, host, host.partition(".")[0], *_OURS}
    if lowered in own_names or _core(lowered) in own_names - {""}:
        raise Malformed(
            "password",
            "choose another password: this one is the email address, or a name of this server",
        )


def _core(lowered: str) -> str:
    """Return *lowered* without the digits and signs around it; "" if it is still too long."""
    start, end = 0, len(lowered)
    while start < end and not lowered[start].isalpha():
        start += 1
    while end > start and not lowered[end - 1].isalpha():
        end -= 1
    return lowered[start:end] if end - start <= _LONGEST_CORE else ""


def _is_run(password: str) -> bool:
    """Return True if *password* repeats one short piece, or counts up or down."""
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
