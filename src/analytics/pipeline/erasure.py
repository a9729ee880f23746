"""Orders to erase: which of several still matter, and which hits they concern."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from analytics.event import Erasure, Hit
from analytics.pipeline.visit import Visit


class Ordered(NamedTuple):
    """An order to erase, and where it lies in the log."""

    offset: int
    erasure: Erasure


def merged(erasures: Iterable[Erasure]) -> list[Erasure]:
    """*erasures* without those that others contain."""
    found: list[Erasure] = []
    for each in erasures:
        if not any(contains(other, each) for other in found):
            found = [other for other in found if not contains(each, other)]
            found.append(each)
    return found


def contains(one: Erasure, other: Erasure) -> bool:
    """Whether *one* erases, for the same reason, all that *other* does."""
    return (
        (one.site, one.visitor, one.before is None)
        == (other.site, other.visitor, other.before is None)
        and one.until >= other.until
        and (one.before or 0) >= (other.before or 0)
    )


def ends(erasure: Erasure, visit: Visit) -> bool:
    """Whether *erasure* leaves nothing of *visit*, so that what follows opens another."""
    return (
        visit.site == erasure.site
        and erasure.visitor in (None, visit.visitor)
        and visit.touched <= erasure.until
        and (erasure.before is None or max(visit.last, visit.session_start) < erasure.before)
    )


def came_too_late(hit: Hit, erasures: Sequence[Erasure]) -> bool:
    """Whether *hit*, folded only now, was received before its visitor or its site was erased.

    Retention is left out: it concerns rows, by the days of their visits.
    """
    return any(
        hit.received_at <= each.until
        and hit.site == each.site
        and each.visitor in (None, hit.visitor)
        and each.before is None
        for each in erasures
    )
