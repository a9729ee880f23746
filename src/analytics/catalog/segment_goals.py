"""Which segments name a goal, and what becomes of them when it gets another name.

Segments keep filters in the JSON of the Stats API, which the catalog does not know; but where they
compare goals with names, it is always by a list `[operator, "event:goal", names]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from analytics.goal import Segment
from analytics.site import Site

_GOAL: Final = "event:goal"
_BY_NAME: Final = frozenset({"is", "is_not"})


def naming(site: Site, goal: str) -> Sequence[Segment]:
    """Return the segments of *site* whose filters compare with the name *goal*."""
    return [
        segment
        for segment in site.segments
        if any(goal in names for names in _names(msgspec.json.decode(segment.filters)))
    ]


def renamed(site: Site, before: str, after: str) -> Site:
    """Return *site* with the name *after* in the segments that compare with *before*."""
    if before == after:
        return site
    affected = {segment.id for segment in naming(site, before)}

    def name(known: str) -> str:
        return after if known == before else known

    segments = tuple(
        msgspec.structs.replace(segment, filters=_with_names(segment.filters, name))
        if segment.id in affected
        else segment
        for segment in site.segments
    )
    return msgspec.structs.replace(site, segments=segments)


def _names(part: object) -> Iterator[list[object]]:
    """Yield each list of names that *part* of some filters compares goals with."""
    if isinstance(part, list):
        if _compares(part):
            yield part[2]
        else:
            for each in part:
                yield from _names(each)


def _compares(part: list[object]) -> bool:
    return len(part) > 2 and part[0] in _BY_NAME and part[1] == _GOAL and isinstance(part[2], list)


def _with_names(filters: str, name: Callable[[str], str]) -> str:
    sent = msgspec.json.decode(filters)
    for names in _names(sent):
        names[:] = [name(each) if isinstance(each, str) else each for each in names]
    return msgspec.json.encode(sent).decode()
