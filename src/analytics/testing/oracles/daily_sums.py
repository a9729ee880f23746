"""The daily sums that another product would export, had it counted the same events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from analytics import localtime, zones
from analytics.event import ENGAGEMENT, PAGEVIEW, Hit
from analytics.imported.daily_sums import DailySum, SumKind
from analytics.query import Dimension
from analytics.testing.oracles.events import OracleEvent, OracleVisit, value, visits_of

_OF_VISITS: Final[Mapping[SumKind, Mapping[str, str]]] = {
    SumKind.VISITORS: {},
    SumKind.SOURCES: {
        "entry_source": Dimension.SOURCE,
        "entry_channel": Dimension.CHANNEL,
        "entry_referrer": Dimension.REFERRER,
        "entry_utm_source": Dimension.UTM_SOURCE,
        "entry_utm_medium": Dimension.UTM_MEDIUM,
        "entry_utm_campaign": Dimension.UTM_CAMPAIGN,
    },
    SumKind.ENTRY_PAGES: {"entry_path": Dimension.ENTRY_PAGE},
    SumKind.EXIT_PAGES: {"exit_path": Dimension.EXIT_PAGE},
    SumKind.LOCATIONS: {
        "entry_country": Dimension.COUNTRY,
        "entry_region": Dimension.REGION,
        "entry_city": Dimension.CITY,
    },
    SumKind.DEVICES: {"entry_device": Dimension.DEVICE},
    SumKind.BROWSERS: {
        "entry_browser": Dimension.BROWSER,
        "entry_browser_version": Dimension.BROWSER_VERSION,
    },
    SumKind.OPERATING_SYSTEMS: {
        "entry_os": Dimension.OS,
        "entry_os_version": Dimension.OS_VERSION,
    },
}
"""The values of each kind of sums of visits, and the dimensions that they are of."""


class SumKey(NamedTuple):
    """What one sum is of."""

    kind: SumKind
    day: int
    values: tuple[tuple[str, object], ...]


@dataclass
class _Sum:
    visitors: set[int] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, visitor: int, **counts: int) -> None:
        self.visitors.add(visitor)
        for name, count in counts.items():
            self.counts[name] += count


def sums_of(hits: Sequence[Hit], timezone: str) -> list[DailySum]:
    """The sums of *hits*, all of one site, by the days of *timezone*.

    They are those of the definitions of events only where no visit passes midnight, no visitor
    comes on two days, and each visitor has one value of each dimension of visits.
    """
    events = [each for each in visits_of(hits) if each.hit.bot is None]
    visits = dict.fromkeys(each.visit for each in events if each.visit is not None)
    sums: dict[SumKey, _Sum] = defaultdict(_Sum)
    for visit in visits:
        _add_visit(sums, visit, timezone)
    for event in events:
        if event.hit.name not in (PAGEVIEW, ENGAGEMENT):
            values = {"name": event.hit.name, "props": tuple(sorted(event.hit.props.items()))}
            key = _key(SumKind.CUSTOM_EVENTS, event, timezone, values)
            sums[key].add(event.hit.visitor, events=1)
    return [_sum(key, each) for key, each in sums.items()]


def _add_visit(sums: dict[SumKey, _Sum], visit: OracleVisit, timezone: str) -> None:
    opener = visit.events[0]
    for kind, names in _OF_VISITS.items():
        values = {name: value(dimension, opener) for name, dimension in names.items()}
        sums[_key(kind, opener, timezone, values)].add(
            opener.hit.visitor,
            visits=1,
            pageviews=len(visit.views),
            events=len(visit.views),
            bounces=int(visit.bounced),
            seconds=(visit.last - visit.first) // 1000,
        )
    for page in {(each.hit.hostname, each.hit.path) for each in visit.views}:
        there = [e for e in visit.events if (e.hit.hostname, e.hit.path) == page]
        views = sum(each.hit.name == PAGEVIEW for each in there)
        depths = [e.hit.scroll_depth for e in there if e.hit.scroll_depth is not None]
        values = {"name": PAGEVIEW, "hostname": page[0], "path": page[1]}
        sums[_key(SumKind.PAGES, opener, timezone, values)].add(
            opener.hit.visitor,
            visits=1,
            pageviews=views,
            events=views,
            scroll_sum=max(depths, default=0),
            scroll_visits=int(bool(depths)),
            engaged_s=sum(e.hit.engaged_ms for e in there) // 1000,
            engaged_visits=1,
        )


def _key(kind: SumKind, event: OracleEvent, timezone: str, values: Mapping[str, object]) -> SumKey:
    moment = datetime.fromtimestamp(event.hit.ts / 1000, UTC).astimezone(zones.zone(timezone))
    return SumKey(kind, localtime.day_number(moment.date()), tuple(values.items()))


def _sum(key: SumKey, counted: _Sum) -> DailySum:
    fields: dict[str, Any] = {**dict(key.values), **counted.counts}
    if "props" in fields:
        fields["props"] = dict(fields["props"])
    return DailySum(kind=key.kind, day=key.day, visitors=len(counted.visitors), **fields)
