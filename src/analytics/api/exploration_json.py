"""The JSON of funnels, journeys and retention: parses and checks queries, encodes results.

Unknown members are refused by name, as everywhere in the Stats API.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeVar

import msgspec

from analytics import decoding
from analytics.api import named_filters, query_json
from analytics.api.sent_query import AskedDateRange, AskedFilter
from analytics.errors import UNDECODABLE
from analytics.exploration import (
    WAIT_BOUNDS_MS,
    Exploration,
    ExplorationResult,
    FunnelQuery,
    FunnelResult,
    JourneyQuery,
    JourneyResult,
    Passage,
    RetentionQuery,
    RetentionResult,
    RetentionUnit,
    Stop,
    Waits,
)
from analytics.query import Filter, Period
from analytics.site import Site


class Include(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of what counts."""

    bots: bool = False


class CommonMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members that the bodies of all explorations have."""

    site_id: str
    date_range: AskedDateRange
    filters: tuple[AskedFilter, ...] = ()
    include: Include = Include()

    def filters_of(self, sent: Sequence[object], field: str, site: Site) -> tuple[Filter, ...]:
        """Return the filters in *sent*, with goals and segments resolved."""
        filters = named_filters.resolve_filters(query_json.filters_of([*sent], field), site)
        query_json.check_machine_filters(filters, "include.bots", bots=self.include.bots)
        return filters


class FunnelBody(CommonMembers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/v2/funnel`."""

    steps: tuple[AskedFilter, ...]
    order: Literal["loose", "strict"] = "loose"
    within_days: int | None = None

    def asked(self, site: Site, period: Period) -> FunnelQuery:
        """Return the question about *site*. Raise `Malformed`."""
        return FunnelQuery(
            site=site.domain,
            period=period,
            steps=self.filters_of(self.steps, "steps", site),
            strict=self.order == "strict",
            within_days=self.within_days,
            filters=self.filters_of(self.filters, "filters", site),
            bots=self.include.bots,
        )


class JourneyBody(CommonMembers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/v2/journey`."""

    start: AskedFilter
    direction: Literal["forward", "backward"] = "forward"
    levels: int = 5
    limit: int = 10
    stops: Literal["pages", "pages_and_events"] = "pages"

    def asked(self, site: Site, period: Period) -> JourneyQuery:
        """Return the question about *site*. Raise `Malformed`."""
        (start,) = self.filters_of([self.start], "start", site)
        return JourneyQuery(
            site=site.domain,
            period=period,
            start=start,
            forward=self.direction == "forward",
            levels=self.levels,
            most=self.limit,
            events=self.stops == "pages_and_events",
            filters=self.filters_of(self.filters, "filters", site),
            bots=self.include.bots,
        )


class RetentionBody(CommonMembers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/v2/retention`."""

    unit: RetentionUnit = RetentionUnit.WEEK

    def asked(self, site: Site, period: Period) -> RetentionQuery:
        """Return the question about *site*. Raise `Malformed`."""
        return RetentionQuery(
            site=site.domain,
            period=period,
            unit=self.unit,
            filters=self.filters_of(self.filters, "filters", site),
            bots=self.include.bots,
        )


ExplorationBody = FunnelBody | JourneyBody | RetentionBody
B = TypeVar("B", bound=ExplorationBody)


def parse(body: bytes, kind: type[B]) -> B:
    """Read a request's body. Raises `Malformed`, naming the member that is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNDECODABLE as exc:
        raise decoding.malformed(exc, body=body, model=kind) from exc


def results(exploration: Exploration, result: ExplorationResult) -> Mapping[str, object]:
    """Return the members of the answer besides `meta` and `query`."""
    match result:
        case FunnelResult():
            return _funnel(exploration, result)
        case JourneyResult():
            return _journey(result)
        case RetentionResult():
            cohorts = [
                {
                    "cohort": cohort.label,
                    "visitors": cohort.visitors,
                    "rates": [_rate(each, cohort.visitors[0]) for each in cohort.visitors],
                }
                for cohort in result.cohorts
            ]
            return {"results": cohorts, "visitors_without_cookie": result.cookieless}


_SECONDS: Final = [bound // 1000 for bound in WAIT_BOUNDS_MS]


def _funnel(exploration: Exploration, result: FunnelResult) -> Mapping[str, object]:
    by_visitor = isinstance(exploration, FunnelQuery) and exploration.within_days is not None
    unit = "visitors" if by_visitor else "visits"
    first = result.steps[0].reached
    steps: list[Mapping[str, object]] = []
    before = None
    for number, step in enumerate(result.steps, 1):
        steps.append(
            {
                "step": number,
                unit: step.reached,
                "without_cookie": step.cookieless,
                "rate": _rate(step.reached, first),
                "rate_of_step": None if before is None else _rate(step.reached, before),
                "time": None if before is None else _time(step.reached, step.waits),
            }
        )
        before = step.reached
    converted = result.steps[-1].reached
    return {"results": steps, "time_to_convert": _time(converted, result.to_convert)}


def _time(count: int, waits: Waits) -> Mapping[str, object]:
    """Return the time it took: the mean in seconds, and the count in each class of times."""
    return {
        "average": round(waits.total_ms / count / 1000) if count else None,
        "classes": [
            {"from": least, "below": below, "count": number}
            for least, below, number in zip(
                [0, *_SECONDS], [*_SECONDS, None], waits.counts, strict=True
            )
            if number
        ],
    }


def _rate(part: int, whole: int) -> float | None:
    """Return *part* in percent of *whole*, rounded half up to two decimals; None of 0."""
    return (20_000 * part + whole) // (2 * whole) / 100 if whole else None


def _journey(result: JourneyResult) -> Mapping[str, object]:
    levels: dict[int, list[Passage]] = defaultdict(list)
    for passage in result.passages:
        levels[passage.level].append(passage)
    return {
        "results": [
            {"level": level, "stops": _stops(passages), "passages": _passages(passages)}
            for level, passages in levels.items()
        ]
    }


def _stops(passages: Sequence[Passage]) -> list[Mapping[str, object]]:
    visits: dict[Stop, int] = defaultdict(int)
    for passage in passages:
        visits[passage.stop] += passage.visits
    ordered = sorted(visits.items(), key=lambda each: (-each[1], each[0]))
    return [{**_stop(stop), "visits": count} for stop, count in ordered]


def _passages(passages: Sequence[Passage]) -> list[Mapping[str, object]]:
    return [
        {"from": _stop(each.before), "to": _stop(each.stop), "visits": each.visits}
        for each in passages
        if each.before is not None
    ]


def _stop(stop: Stop) -> Mapping[str, object]:
    return {"kind": stop.kind, "name": stop.name or None}
