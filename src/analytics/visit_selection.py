"""Which visits of a site are to be erased: by what was done in them, and when."""

from __future__ import annotations

from collections.abc import Sequence

from analytics import localtime, time_span
from analytics.query import Compare, Metric, Period, Query
from analytics.site import Site


def chosen(site: Site, filters: Sequence[Compare], start: str | None, end: str | None) -> Query:
    """Return what asks for the visits with an event, in that time, for which all *filters* hold.

    The ends are as `span.of` reads them; machines' visits are among them. Raise `Malformed`.
    """
    first, last = time_span.of(start, end, site.timezone)
    return Query(
        site=site.domain,
        metrics=(Metric.VISITS,),
        period=Period(first, min(last, localtime.LATEST), site.timezone),
        filters=tuple(filters),
        bots=True,
    )
