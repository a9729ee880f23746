"""Selects the visits of a site to erase, by their events and the time of these."""

from __future__ import annotations

from collections.abc import Sequence

from analytics import localtime, time_span
from analytics.query import Compare, Metric, Period, Query
from analytics.site import Site


def chosen(site: Site, filters: Sequence[Compare], start: str | None, end: str | None) -> Query:
    """Return the query of the visits with an event in that time that all *filters* match.

    The ends are as in `time_span.of`; visits of machines are included. Raise `Malformed`.
    """
    first, last = time_span.of(start, end, site.timezone)
    return Query(
        site=site.domain,
        metrics=(Metric.VISITS,),
        period=Period(first, min(last, localtime.LATEST), site.timezone),
        filters=tuple(filters),
        bots=True,
    )
