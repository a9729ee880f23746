"""Erasure requests: which of several still matter, and which hits they concern."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from analytics.event import Erasure, Hit
from analytics.pipeline.visit import Visit


class Ordered(NamedTuple):
    """An erasure request, and its offset in the log."""

    offset: int
    erasure: Erasure


def merged(erasures: Iterable[Erasure]) -> list[Erasure]:
    """Return *erasures* without those that others contain."""
    kept: list[Erasure] = []
    for each in erasures:
        if not any(contains(other, each) for other in kept):
            kept = [other for other in kept if not contains(each, other)]
            kept.append(each)
    return kept


def contains(one: Erasure, other: Erasure) -> bool:
    """Return whether *one* erases, for the same reason, everything that *other* erases."""
    return (
        (one.site, one.visitor, one.before is None)
        == (other.site, other.visitor, other.before is None)
        and one.until >= other.until
        and (one.before or 0) >= (other.before or 0)
    )


def ends(erasure: Erasure, visit: Visit) -> bool:
    """Return whether *erasure* deletes all of *visit*, so that the next event opens another."""
    return (
        visit.site == erasure.site
        and erasure.visitor in (None, visit.visitor)
        and visit.touched <= erasure.until
        and (erasure.before is None or max(visit.last, visit.session_start) < erasure.before)
    )


def came_too_late(hit: Hit, erasures: Sequence[Erasure]) -> bool:
    """Return whether *hit*, processed only now, was received before its visitor was erased.

    The erasure of the whole site counts, too.

    Retention does not count: it applies to rows, by the days of their visits.
    """
    return any(
        hit.received_at <= each.until
        and hit.site == each.site
        and each.visitor in (None, hit.visitor)
        and each.before is None
        for each in erasures
    )
