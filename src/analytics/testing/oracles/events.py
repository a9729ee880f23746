"""The oracle's events, each with its visit and the values of its dimensions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from analytics import machines, place_names, zones
from analytics.event import ENGAGEMENT, PAGEVIEW, Hit
from analytics.pipeline.sessions import INACTIVITY_MS, REACH_MS
from analytics.pipeline.source import Sources
from analytics.query import (
    MACHINE_DIMENSIONS,
    PROPERTY_PREFIX,
    TIME_DIMENSIONS,
    Dimension,
    Period,
)

_SOURCES: Final = Sources()


@dataclass(eq=False)
class OracleVisit:
    """A visit and its events, in log order."""

    touched: int
    events: list[OracleEvent] = field(default_factory=list)
    idle: list[OracleEvent] = field(default_factory=list)
    """Its readings of a page that lay idle: not part of its extent."""

    @property
    def start(self) -> int:
        return self.events[0].hit.ts

    @property
    def first(self) -> int:
        return min(e.hit.ts for e in self.events if e not in self.idle)

    @property
    def last(self) -> int:
        return max(e.hit.ts for e in self.events if e not in self.idle)

    @property
    def in_order(self) -> list[OracleEvent]:
        """Return its events without pings, by time, then in log order."""
        return sorted((e for e in self.events if e.counts), key=lambda e: (e.hit.ts, e.offset))

    @property
    def views(self) -> list[OracleEvent]:
        return [e for e in self.events if e.hit.name == PAGEVIEW]

    @property
    def exit(self) -> OracleEvent | None:
        return max(self.views, key=lambda e: (e.hit.ts, e.offset), default=None)

    @property
    def bounced(self) -> bool:
        custom = (e.hit for e in self.events if e.hit.name not in (PAGEVIEW, ENGAGEMENT))
        return len(self.views) < 2 and not any(hit.interactive for hit in custom)


@dataclass(eq=False)
class OracleEvent:
    """A hit, its place in the log, and its visit."""

    hit: Hit
    offset: int
    visit: OracleVisit | None = None

    @property
    def counts(self) -> bool:
        return self.hit.name != ENGAGEMENT


def visits_of(hits: Sequence[Hit]) -> list[OracleEvent]:
    """Return every event with its visit."""
    visits: dict[tuple[str, int, bool], list[OracleVisit]] = defaultdict(list)
    events = []
    for offset, hit in enumerate(hits):
        event = OracleEvent(hit, offset)
        events.append(event)
        mine = visits[hit.site, hit.visitor, hit.bot is not None]
        visit = next((v for v in reversed(mine) if _joins(v, hit)), None)
        if visit is None and event.counts:
            visit = OracleVisit(hit.received_at)
            mine.append(visit)
        if visit is None:
            began = (v for v in reversed(mine) if v.first <= hit.ts and _is_open(v, hit))
            visit = next(began, None)
            if visit is not None:
                visit.idle.append(event)
        if visit is not None:
            mine.remove(visit)
            mine.append(visit)
            visit.touched = max(visit.touched, hit.received_at)
            visit.events.append(event)
            event.visit = visit
    return events


def _joins(visit: OracleVisit, hit: Hit) -> bool:
    begin = hit.ts - hit.engaged_ms if hit.name == ENGAGEMENT else hit.ts
    near = visit.first - INACTIVITY_MS <= hit.ts and begin <= visit.last + INACTIVITY_MS
    return near and _is_open(visit, hit)


def _is_open(visit: OracleVisit, hit: Hit) -> bool:
    return hit.received_at <= visit.touched + REACH_MS


# ---- values of dimensions


def value(dimension: str, event: OracleEvent) -> str:
    """Return the value of a dimension other than a time; "" if blank."""
    hit = event.hit
    if dimension.startswith(PROPERTY_PREFIX):
        return hit.props.get(dimension.removeprefix(PROPERTY_PREFIX), "")
    if dimension in (
        Dimension.PAGE,
        Dimension.HOSTNAME,
        Dimension.NAME,
        Dimension.TITLE,
        Dimension.CURRENCY,
    ):
        return _attribute(dimension, hit)
    if dimension in (Dimension.EXIT_PAGE, Dimension.EXIT_HOSTNAME):
        last = event.visit.exit if event.visit else None
        if last is None:
            return ""
        return last.hit.path if dimension == Dimension.EXIT_PAGE else last.hit.hostname
    opener = event.visit.events[0].hit if event.visit else hit
    return _attribute(dimension, opener)


def _attribute(dimension: str, hit: Hit) -> str:
    source, channel = _SOURCES.resolve(
        hit.referrer, hit.utm_source, hit.utm_medium, hit.utm_campaign, hit.click_id
    )
    named = {
        Dimension.PAGE: hit.path,
        Dimension.ENTRY_PAGE: hit.path,
        Dimension.ENTRY_HOSTNAME: hit.hostname,
        Dimension.SOURCE: source,
        Dimension.CHANNEL: channel,
    }
    if dimension in MACHINE_DIMENSIONS:
        return _machine(dimension, hit)
    if dimension == Dimension.COUNTRY_NAME:
        return place_names.countries().get(hit.country, hit.country)
    if dimension == Dimension.REGION_NAME:
        return place_names.regions().get(hit.region, hit.region)
    if dimension == Dimension.CITY_NAME:
        return hit.city
    value = named.get(Dimension(dimension))
    return value if value is not None else str(getattr(hit, dimension.split(":")[1]))


def _machine(dimension: str, hit: Hit) -> str:
    if hit.bot is None:
        return ""
    if dimension == Dimension.BOT_NAME:
        return machines.name_of(hit.browser)
    if dimension == Dimension.BOT_OPERATOR:
        return machines.operator_of(hit.browser)
    return machines.purpose_of(hit.browser)


def shown(dimension: str, value: str) -> str:
    if value or dimension in TIME_DIMENSIONS:
        return value
    if dimension.startswith(PROPERTY_PREFIX):
        return "(none)"
    if dimension in MACHINE_DIMENSIONS:
        return "People"
    direct = dimension in (Dimension.SOURCE, Dimension.REFERRER)
    return "Direct / None" if direct else "(not set)"


def bucket(dimension: str, ts: int, period: Period) -> str:
    zone = zones.zone(period.timezone)
    local = datetime.fromtimestamp(ts / 1000, UTC).astimezone(zone)
    day = local.date()
    if dimension == Dimension.HOUR:
        return local.strftime("%Y-%m-%d %H:00:00")
    if dimension == Dimension.WEEK:
        first = datetime.fromtimestamp(period.start / 1000, UTC).astimezone(zone).date()
        day = max(first, day - timedelta(day.weekday()))
    if dimension == Dimension.MONTH:
        day = date(day.year, day.month, 1)
    return day.isoformat()
