"""Whether a site has received its first hit yet, and if it was left out, why."""

from __future__ import annotations

from typing import NamedTuple

from analytics.dashboard import foreign_hosts
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.report import count_of
from analytics.query import Dimension, Metric, Order, Period, Query
from analytics.site import Site


class FirstHit(NamedTuple):
    """The hits that a site has received so far."""

    seen: bool
    """Whether there is an event that the figures count."""
    machine: str = ""
    """The bot with most events, by the name in its user agent; "" without any."""
    elsewhere: bool = False
    """Whether hits were left out because their hostname is not the site's."""


async def first_hit_of(deps: DashboardContext, site: Site) -> FirstHit:
    """Return which hits *site* has received so far."""
    first = await deps.store.first_event(site.domain)
    if first is not None and await _counted(deps, site, first):
        return FirstHit(seen=True)
    # A bot whose events are stored must not hide that people's hits are left out.
    elsewhere = bool(await foreign_hosts.foreign_hosts(deps, site))
    machine = "" if first is None else await _machine(deps, site, first)
    return FirstHit(seen=False, machine=machine, elsewhere=elsewhere)


async def _counted(deps: DashboardContext, site: Site, first: int) -> int:
    """Return the number of events since *first* (UTC milliseconds) that the figures count."""
    period = Period(first, deps.clock() + 1, site.timezone)
    counted = await deps.store.query(
        Query(site=site.domain, metrics=(Metric.EVENTS,), period=period)
    )
    return count_of(counted)


async def _machine(deps: DashboardContext, site: Site, first: int) -> str:
    """Return the name of the bot with most events since *first*; "" if there are none."""
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
