"""A filter as an administrator writes it: `event:page is /x`."""

from __future__ import annotations

from typing import Final

from analytics.errors import Malformed
from analytics.query import Compare, Op

_OPERATORS: Final = {
    "is": Op.IS,
    "is_not": Op.IS_NOT,
    "contains": Op.CONTAINS,
    "contains_not": Op.CONTAINS_NOT,
}


def parse(text: str) -> Compare:
    """Return the filter `<dimension> <operator> <value>`. Raises `Malformed`."""
    dimension, _, rest = text.strip().partition(" ")
    operator, _, value = rest.strip().partition(" ")
    if operator not in _OPERATORS or not value:
        raise Malformed(
            "filter",
            f"{text[:80]!r} is not <dimension> <operator> <value>, such as 'event:page is /x';"
            f" operators are {', '.join(_OPERATORS)}",
        )
    return Compare(_OPERATORS[operator], dimension, (value.strip(),))
