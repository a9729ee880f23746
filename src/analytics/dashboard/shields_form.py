"""Lists of rules as an owner types them into a form: one entry per line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analytics.catalog.rules import MAX_RULES, SHIELDS, ListRule
from analytics.errors import Malformed
from analytics.site import Shields

MAX_NAMED: Final = 10
"""The most invalid lines of a box that a message quotes; it counts the others."""


class BadRules(Malformed):
    """Invalid lines in one or more boxes of a form."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        super().__init__(next(iter(lines)), " ".join(lines.values()))
        self.lines = lines
        """The message for each box with invalid lines."""


def read_rules(
    form: Mapping[str, str], boxes: Mapping[str, ListRule]
) -> dict[str, tuple[str, ...]]:
    """Return the rules in each of *boxes*. Raise `BadRules`, naming every invalid line."""
    rules: dict[str, tuple[str, ...]] = {}
    wrong: dict[str, str] = {}
    for field, rule in boxes.items():
        typed = [line.strip() for line in form.get(field, "").splitlines()]
        rules[field] = rule.spelled(typed)
        bad = [line for line in dict.fromkeys(typed) if rule.wrong(rule.spelled([line]))]
        if bad:
            named = ", ".join(repr(line[:60]) for line in bad[:MAX_NAMED])
            more = f", and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
            wrong[field] = f"{named}{more}: {rule.fault}"
        elif len(rules[field]) > MAX_RULES:
            wrong[field] = f"At most {MAX_RULES} rules, got {len(rules[field])}."
    if wrong:
        raise BadRules(wrong)
    return rules


def read_shields(form: Mapping[str, str]) -> Shields:
    """Return the rules of the four boxes. Raise `BadRules`."""
    return Shields(**read_rules(form, SHIELDS))
