"""Reads members of JSON queries, and refuses those of a wrong type by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from analytics.api.sent_query import SentInclude, SentPagination
from analytics.errors import Malformed
from analytics.suggestions import unknown

INCLUDE: Final = SentInclude.__struct_fields__
PAGINATION: Final = SentPagination.__struct_fields__
_ELSEWHERE: Final = {
    **{name: f"include.{name}" for name in INCLUDE},
    **{name: f"pagination.{name}" for name in PAGINATION},
    # The words of version 1.
    "period": "date_range",
    "property": "dimensions",
    "interval": "dimensions",
    "page": "pagination.offset",
}
"""Maps a member that is often sent in the wrong place to the right one."""


def members(sent: object, field: str, names: Sequence[str]) -> Mapping[str, object]:
    """Return *sent*, an object with none but the *names* members. Raise `Malformed`."""
    if not isinstance(sent, dict):
        raise Malformed(field, "must be an object")
    for name in sent:
        if name not in names:
            path = f"{field}.{name}" if field else name
            elsewhere = _ELSEWHERE.get(name, "")
            if elsewhere and elsewhere != path:
                raise Malformed(path, f"is not known here; did you mean {elsewhere}?")
            raise Malformed(path, unknown("member", name, names))
    return sent


def list_of(sent: object, field: str) -> list[object]:
    """Return *sent*, a list. Raise `Malformed`."""
    if not isinstance(sent, list):
        example = msgspec.json.encode([sent]).decode() if isinstance(sent, str) else "[…]"
        raise Malformed(field, "is missing" if sent is None else f"must be a list: {example[:80]}")
    return sent


def text(sent: object, field: str) -> str:
    """Return *sent*, a non-empty text. Raise `Malformed`."""
    if not isinstance(sent, str) or not sent:
        raise Malformed(field, "is missing" if sent is None else "must be a text")
    return sent


def flag(members: Mapping[str, object], name: str, *, usual: bool = False) -> bool:
    """Return the member *name*, true or false, or *usual*. Raise `Malformed`."""
    value = members.get(name, usual)
    if not isinstance(value, bool):
        raise Malformed(name, "must be true or false")
    return value


def whole_number(
    members: Mapping[str, object], name: str, usual: int, *, least: int, most: int
) -> int:
    """Return the member *name* of `pagination`, a number in its bounds. Raise `Malformed`."""
    value = members.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"pagination.{name}", f"must be a whole number from {least} to {most:,}")
    return value
