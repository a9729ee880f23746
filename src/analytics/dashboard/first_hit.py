"""The first page view of a site: none yet, one that does not count, or one that counts."""

from __future__ import annotations

from typing import NamedTuple

from analytics.dashboard import foreign_hosts
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.report import count_of
from analytics.query import Dimension, Metric, Order, Period, Query
from analytics.site import Site


class FirstHit(NamedTuple):
    """What has come so far."""

    seen: bool
    """Whether somebody came whom the figures count."""
    machine: str = ""
    """What came instead, by the name that it gives itself; "" when nothing did."""
    elsewhere: bool = False
    """Whether people's hits were left out, for a hostname that is not the site's."""


async def first_hit_of(deps: DashboardContext, site: Site) -> FirstHit:
    """Return what has come to *site* so far."""
    first = await deps.store.first_event(site.domain)
    if first is not None and await _counted(deps, site, first):
        return FirstHit(seen=True)
    # A machine that was stored must not hide that everybody else is left out.
    elsewhere = bool(await foreign_hosts.foreign_hosts(deps, site))
    machine = "" if first is None else await _machine(deps, site, first)
    return FirstHit(seen=False, machine=machine, elsewhere=elsewhere)


async def _counted(deps: DashboardContext, site: Site, first: int) -> int:
    """Count the events since the *first* that the figures count."""
    period = Period(first, deps.clock() + 1, site.timezone)
    counted = await deps.store.query(
        Query(site=site.domain, metrics=(Metric.EVENTS,), period=period)
    )
    return count_of(counted)


async def _machine(deps: DashboardContext, site: Site, first: int) -> str:
    """Return the name of the machine with most events since the *first*; "" without any."""
    period = Period(first, deps.clock() + 1, site.timezone)
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
        return ""
    name = machines.rows[0].dimensions[0]
    unnamed = name in ("", "(not set)", "Other")
    return "without a name" if unnamed else name[:60]
