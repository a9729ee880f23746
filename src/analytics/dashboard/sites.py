"""The list of sites, a new site, and the snippet that starts it."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final, NamedTuple

from starlette.responses import Response

from analytics import zones
from analytics.dashboard import figures, plot, setup, sparkline
from analytics.dashboard.ask import Ask, redirect
from analytics.dashboard.deps import Dashboard
from analytics.dashboard.figures import Change
from analytics.dashboard.report import count_of, current_visitors
from analytics.dashboard.sparkline import Sparkline
from analytics.dashboard.templates import path_of
from analytics.errors import Conflict, Malformed
from analytics.query import Dimension, Metric, Period, Query
from analytics.site import Site
from analytics.store.catalog import service

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
_AREAS: Final = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)


class SiteCard(NamedTuple):
    """One site in the list, with its last 24 hours."""

    domain: str
    visitors: str
    change: Change | None
    current: int
    line: Sparkline


@cache
def timezones() -> tuple[str, ...]:
    """The time zones to choose from: UTC, then the places of the tz database."""
    return ("Etc/UTC", *sorted(z for z in zones.names() if z.startswith(_AREAS)))


async def show(ask: Ask) -> Response:
    """`/`: the sites that this person sees; the first run's page before there is anybody."""
    if ask.person is None and not await ask.deps.catalog.people.all():
        return await setup.welcome(ask)
    person = ask.someone()
    sites = ask.sites()
    if person.owner and not sites:
        return redirect("/sites/new")
    cards = await asyncio.gather(*(_card(ask.deps, site) for site in sites))
    return ask.page("sites.html", cards=cards)


async def _card(deps: Dashboard, site: Site) -> SiteCard:
    now = deps.clock()
    # Whole hours, so that the line has 24 equal steps and the last one is the running hour.
    end = now - now % HOUR_MS + HOUR_MS
    day = Period(end - DAY_MS, end, site.timezone)
    last, before, hours, current = await asyncio.gather(
        deps.store.query(_visitors(site, Period(now - DAY_MS, now + 1, site.timezone))),
        deps.store.query(_visitors(site, Period(now - 2 * DAY_MS, now - DAY_MS, site.timezone))),
        deps.store.query(_visitors(site, day, Dimension.HOUR)),
        deps.store.query(current_visitors(site.domain, now)),
    )
    values = plot.values_of(hours)
    return SiteCard(
        domain=site.domain,
        visitors=figures.short(count_of(last)),
        change=figures.change(Metric.VISITORS, count_of(last), count_of(before)),
        current=count_of(current),
        line=sparkline.sparkline(
            [
                figures.number(values.get(b.label, 0)) or 0
                for b in plot.buckets(site.domain, day, "hour")
            ]
        ),
    )


def _visitors(site: Site, period: Period, *dimensions: str) -> Query:
    return Query(site=site.domain, metrics=(Metric.VISITORS,), period=period, dimensions=dimensions)


async def new(ask: Ask) -> Response:
    """The form for a new site."""
    ask.owner()
    return _form(ask, domain="", timezone="", problem="")


async def add(ask: Ask) -> Response:
    """Create the site and go on to its snippet."""
    ask.owner()
    form = await ask.form()
    domain, timezone = form.get("domain", "").strip(), form.get("timezone", "Etc/UTC")
    try:
        added = await service.add_site(ask.deps.catalog, ask.deps.store, domain, timezone=timezone)
    except (Malformed, Conflict) as error:
        problem = error.reason if isinstance(error, Malformed) else str(error)
        return _form(ask, domain=domain, timezone=timezone, problem=problem, status=400)
    return redirect(f"{path_of(added.site.domain)}/start")


def _form(ask: Ask, *, domain: str, timezone: str, problem: str, status: int = 200) -> Response:
    return ask.page(
        "new_site.html",
        status=status,
        domain=domain,
        timezone=timezone,
        timezones=timezones(),
        problem=problem,
        first=not ask.sites(),
    )


async def start(ask: Ask) -> Response:
    """The snippet to paste, and whether the first pageview has come."""
    site = ask.site()
    ask.someone()
    seen = await ask.deps.store.first_event(site.domain) is not None
    return ask.page("start.html", site=site, snippet=snippet(ask, site), seen=seen)


def snippet(ask: Ask, site: Site) -> str:
    """The line of HTML that a page needs to be counted."""
    return f'<script defer data-domain="{site.domain}" src="{ask.origin()}/tracker.js"></script>'
