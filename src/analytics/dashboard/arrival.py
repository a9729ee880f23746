"""The first page view of a site: none yet, one that does not count, or one that counts."""

from __future__ import annotations

from typing import NamedTuple

from analytics.dashboard import made_up
from analytics.dashboard.deps import Dashboard
from analytics.dashboard.report import count_of
from analytics.query import Dimension, Metric, Order, Period, Query
from analytics.site import Site


class Arrival(NamedTuple):
    """What has come so far."""

    seen: bool
    """Whether somebody came whom the figures count."""
    machine: str = ""
    """What came instead, by the name that it gives itself; "" when nothing did."""
    elsewhere: bool = False
    """Whether all that came was left out, for a hostname that is not the site's."""


async def arrival(deps: Dashboard, site: Site) -> Arrival:
    """Return what has come to *site* so far."""
    first = await deps.store.first_event(site.domain)
    if first is None:
        return Arrival(seen=False, elsewhere=bool(await made_up.foreign_hosts(deps, site)))
    period = Period(first, deps.clock() + 1, site.timezone)
    counted = await deps.store.query(
        Query(site=site.domain, metrics=(Metric.EVENTS,), period=period)
    )
    if count_of(counted):
        return Arrival(seen=True)
    machines = await deps.store.query(
        Query(
            site=site.domain,
            metrics=(Metric.EVENTS,),
            period=period,
            dimensions=(Dimension.BROWSER,),
            order_by=(Order(Metric.EVENTS.value),),
            limit=1,
            bots=True,
        )
    )
    if not machines.rows:
        return Arrival(seen=False)
    name = machines.rows[0].dimensions[0]
    unnamed = name in ("", "(not set)", "Other")
    return Arrival(seen=False, machine="without a name" if unnamed else name[:60])
