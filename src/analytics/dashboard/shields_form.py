"""The shields as their owner types them: one rule a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Final, NamedTuple

from analytics.dashboard import names
from analytics.errors import Malformed
from analytics.site import Shields

MAX_RULES: Final = 500
MAX_NAMED: Final = 10
"""The most wrong lines of a box that a message names; it only counts the others."""
_HOSTNAME: Final = re.compile(r"[a-z0-9.*_-]{1,253}|\[[0-9a-f:]+\]")


class Box(NamedTuple):
    """One box of a form: which lines it takes."""

    is_rule: Callable[[str], bool]
    fault: str
    """What to say of a line that is not a rule."""
    normal: Callable[[str], str] = str
    """How a line is spelled."""


class BadRules(Malformed):
    """Lines that are no rules, by the box in which they stand."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        super().__init__(next(iter(lines)), " ".join(lines.values()))
        self.lines = lines
        """For each box with a fault, what is wrong in it."""


def read_rules(form: Mapping[str, str], boxes: Mapping[str, Box]) -> dict[str, tuple[str, ...]]:
    """The rules of each of *boxes*. Raises `BadRules`, naming every line that is wrong."""
    rules: dict[str, tuple[str, ...]] = {}
    wrong: dict[str, str] = {}
    for field, box in boxes.items():
        typed = [line.strip() for line in form.get(field, "").splitlines() if line.strip()]
        rules[field] = tuple(dict.fromkeys(box.normal(line) for line in typed))
        bad = [line for line in dict.fromkeys(typed) if not box.is_rule(box.normal(line))]
        if bad:
            named = ", ".join(repr(line[:60]) for line in bad[:MAX_NAMED])
            more = f", and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
            wrong[field] = f"{named}{more}: {box.fault}"
        elif len(rules[field]) > MAX_RULES:
            wrong[field] = f"At most {MAX_RULES} rules, got {len(rules[field])}."
    if wrong:
        raise BadRules(wrong)
    return rules


def read_shields(form: Mapping[str, str]) -> Shields:
    """The rules of the four boxes. Raises `BadRules`."""
    return Shields(**read_rules(form, _SHIELDS))


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


HOSTNAMES: Final = Box(
    lambda name: _HOSTNAME.fullmatch(name) is not None,
    "give a hostname alone, without https:// and paths.",
    str.lower,
)
_SHIELDS: Final = {
    "addresses": Box(_is_network, "give an IP address or a network (10.0.0.0/8)."),
    "countries": Box(
        lambda code: code in names.countries(),
        "give the two letters of a country (DE, and GB for the United Kingdom).",
        str.upper,
    ),
    "pages": Box(lambda path: path.startswith(("/", "*")), "begin with a slash or *."),
    "hostnames": HOSTNAMES,
}
