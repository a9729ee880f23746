"""The ledger page of a site: received, stored and dropped hits by day or by hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from starlette.responses import Response

from analytics import parsing
from analytics.cpu_thread import run_in_cpu_thread
from analytics.dashboard import foreign_hosts
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.report_period import day_name
from analytics.date_range import local
from analytics.event import DropReason
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.site import Site
from analytics.store.lag import Lag

DAYS: Final = 91
MEANINGS: Final[Mapping[DropReason, str]] = {
    DropReason.UNKNOWN_SITE: "The name in data-domain was not a site here when the hit arrived.",
    DropReason.SHIELD_IP: "The visitor's address is in the site's shields.",
    DropReason.SHIELD_COUNTRY: "The visitor's country is in the site's shields.",
    DropReason.SHIELD_PAGE: "The page is in the site's shields.",
    DropReason.SHIELD_HOSTNAME: "The hostname is not among those that the site allows.",
    DropReason.OPTED_OUT: "The visitor's browser asks not to be tracked.",
    DropReason.NOT_A_PAGE: "A line of an imported log that requests an image, a script or "
    "something else that is not a page.",
    DropReason.NOT_OK: "A line of an imported log whose response was not a page: for example, "
    "an error or a redirect.",
    DropReason.OTHER_HOST: "A line of an imported log that names another host.",
    DropReason.FOREIGN_HOST: "The page's hostname is not the site's: a copy of the site, a proxy, "
    "or made up. The site's settings list these hostnames, and count those that you accept.",
    DropReason.SPAM_REFERRER: "The referrer is a host that is known for sending "
    "made-up visits to attract the attention of site owners.",
    DropReason.REVENUE_CEILING: "The event's revenue is above the site's ceiling.",
    DropReason.BEFORE_RETENTION: "The event is older than the site keeps events.",
    DropReason.OVER_QUOTA: "The site had taken as many events that day as its settings allow.",
    DropReason.PRERENDERED: "The browser fetched the page ahead, and nobody looked at it yet.",
}
"""The explanation of each reason on the page."""


class LedgerRow(NamedTuple):
    """One day or hour of the table."""

    name: str
    weekday: str
    key: str
    """The ISO date of a day, to open its hours; "" for an hour."""
    received: int
    stored: int
    duplicate: int
    dropped: Mapping[str, int]
    dead: int
    erased: int

    @property
    def dropped_sum(self) -> int:
        """The number of hits left out on purpose."""
        return sum(self.dropped.values())

    @property
    def accounted(self) -> int:
        """The sum of stored, duplicate, dropped and unreadable hits."""
        return self.stored + self.duplicate + self.dropped_sum + self.dead

    @property
    def balanced(self) -> bool:
        """Whether every received hit is accounted for."""
        return self.received == self.accounted


async def show(ask: PageRequest) -> Response:
    """Show the days, newest first, or the hours of the day in the parameter `day`."""
    site = ask.site()
    ask.someone()
    text = ask.request.query_params.get("day", "")
    day = parsing.day(text, "day") if text else None
    lag = ask.deps.lag()
    ledger = await ask.deps.store.ledger(site.domain)
    foreign = await foreign_hosts.foreign_hosts(ask.deps, site)
    return await run_in_cpu_thread(lambda: _page(ask, site, text, day, ledger, lag, foreign))


def _page(
    ask: PageRequest,
    site: Site,
    text: str,
    day: date | None,
    ledger: Mapping[LedgerKey, LedgerLine],
    lag: Lag | None,
    foreign: Sequence[tuple[str, int]],
) -> Response:
    """Return the page. Adding up years of hours takes too long for the event loop."""
    days, hours = by_day(ledger, site.timezone), by_hour(ledger, site.timezone, text) if day else []
    return ask.page(
        "ledger.html",
        site=site,
        lag=lag,
        total=add("All time", ledger.values()),
        meanings=MEANINGS,
        foreign=foreign,
        lines=hours if day else days[:DAYS],
        left_out=0 if day else max(0, len(days) - DAYS),
        day=text,
        day_title=day_name(day, with_year=True) if day else "",
        previous_day=_beside(day, -1) if day else "",
        next_day=_beside(day, 1) if day else "",
    )


def _beside(day: date, days: int) -> str:
    """Return the ISO date *days* after *day*; "" outside the range that the page accepts."""
    other = day + timedelta(days)
    return other.isoformat() if parsing.FIRST_DAY <= other <= parsing.LAST_DAY else ""


def by_day(ledger: Mapping[LedgerKey, LedgerLine], timezone: str) -> list[LedgerRow]:
    """Return a row for each day in the site's time zone, newest first.

    The ledger counts whole UTC hours. Where midnight falls within one, as in half-hour zones, the
    hour belongs to the day in which it begins.
    """
    days: dict[date, list[LedgerLine]] = {}
    for key, line in ledger.items():
        days.setdefault(local(key.hour, timezone).date(), []).append(line)
    return [
        add(day_name(day, with_year=True), lines, weekday=f"{day:%a}", key=day.isoformat())
        for day, lines in sorted(days.items(), reverse=True)
    ]


def by_hour(ledger: Mapping[LedgerKey, LedgerLine], timezone: str, day: str) -> list[LedgerRow]:
    """Return a row for each hour of *day* (an ISO date) that received hits, oldest first."""
    return [
        add(f"{local(key.hour, timezone):%H:%M}", [line])
        for key, line in sorted(ledger.items())
        if local(key.hour, timezone).date().isoformat() == day
    ]


def add(name: str, lines: Iterable[LedgerLine], *, weekday: str = "", key: str = "") -> LedgerRow:
    """Return the sum of *lines* as one row."""
    received = stored = duplicate = dead = erased = 0
    dropped: Counter[str] = Counter()
    for line in lines:
        received += line.received
        stored += line.stored
        duplicate += line.duplicate
        dead += line.dead
        erased += line.erased
        dropped.update(line.dropped)
    return LedgerRow(name, weekday, key, received, stored, duplicate, dropped, dead, erased)
