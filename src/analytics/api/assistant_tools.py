"""The tools of assistants, each of which is a query of the Stats API.

`assistants.py` has the protocol. To add a tool, add it to `TOOLS`, and a method that answers it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from analytics import access
from analytics.api.access import Clock, QueryableStore, StatsAccess
from analytics.api.explorations import ExplorationsApi
from analytics.api.stats_v2 import StatsV2
from analytics.catalog.base import Catalog
from analytics.dimension_facts import DIMENSIONS
from analytics.errors import Malformed, NotFound
from analytics.exploration import RetentionUnit
from analytics.metric_facts import METRICS, Counted, Unit
from analytics.person import Scope

Arguments = Mapping[str, Any]

_UNITS: Final[Mapping[Unit, str]] = {
    Unit.COUNT: "a count",
    Unit.PERCENT: "percent, 0 to 100",
    Unit.SECONDS: "seconds",
    Unit.MEAN: "a mean",
    Unit.MONEY: "an amount with its currency",
}
_COUNTED: Final[Mapping[Counted, str]] = {
    Counted.EVENTS: "of events, by when they happened",
    Counted.VISITS: "of visits, by when they began",
    Counted.PAGES: "of visits to a page; needs event:page as a dimension or filter",
}


class Tool(NamedTuple):
    """One tool of assistants."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """Of its arguments: JSON Schema."""


def _definitions() -> str:
    """Return a line for each metric and each dimension, from the tables of facts."""
    metrics = "\n".join(
        f"- {metric}: {facts.label}, {_UNITS[facts.unit]}, {_COUNTED[facts.counted]}"
        for metric, facts in METRICS.items()
    )
    dimensions = "\n".join(
        f"- {dimension}: {facts.label}, {facts.level.name.lower()}"
        for dimension, facts in DIMENSIONS.items()
    )
    return (
        f"Metrics:\n{metrics}\n\nDimensions, with whose value each is (a filter by one of an event"
        f" counts events, by one of a visit whole visits):\n{dimensions}\n"
        "- event:props:<key>: a custom property\n- time:hour, time:day, time:week, time:month"
    )


_SITE: Final = {"type": "string", "description": "domain of the site, as list_sites names it"}
_RANGE: Final = {
    "description": 'such as "day", "7d", "30d", "month", "6mo", "12mo", "year", "all", or two days:'
    ' ["2026-11-01", "2026-11-30"]'
}
_FILTER: Final = (
    '["is", "visit:country", ["DE"]], ["contains", "event:page", ["/blog"]],'
    ' ["is", "event:goal", ["Signup"]], ["is", "segment", [3]], ["not", <filter>],'
    ' ["or", [<filter>, …]]'
)
_FILTERS: Final = {"type": "array", "description": f"all must hold: {_FILTER}"}
_EXPLORED: Final[Mapping[str, Any]] = {
    "site_id": _SITE,
    "date_range": _RANGE,
    "filters": {**_FILTERS, "description": f"of the visits to look at; {_FILTERS['description']}"},
}
_QUESTION: Final[Mapping[str, Any]] = {
    "site_id": _SITE,
    "metrics": {"type": "array", "items": {"type": "string", "enum": [*METRICS]}, "minItems": 1},
    "date_range": _RANGE,
    "dimensions": {"type": "array", "items": {"type": "string"}},
    "filters": _FILTERS,
    "order_by": {
        "type": "array",
        "description": 'such as [["visitors", "desc"]]',
    },
    "include": {"type": "object"},
    "pagination": {
        "type": "object",
        "description": "limit and offset; ask for few rows",
    },
}
_NEEDED: Final = ["site_id", "metrics", "date_range"]


def _schema(properties: Mapping[str, Any], required: Sequence[str]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


TOOLS: Final = (
    Tool(
        "list_sites",
        "List the sites whose figures can be asked for, each with its time zone, the names of its"
        " goals and its shared segments (saved filters).",
        _schema({}, []),
    ),
    Tool(
        "query",
        "Ask for exact figures of a site: metrics over a range of days, split by dimensions,"
        " narrowed by filters. Unique visitors do not add up over rows or days: ask for the whole"
        f" range instead of summing.\n\n{_definitions()}",
        _schema(_QUESTION, _NEEDED),
    ),
    Tool(
        "compare",
        "Ask the same question about two ranges of days, date_range and compare_with; metrics and"
        " dimensions are those of query.",
        _schema({**_QUESTION, "compare_with": _RANGE}, [*_NEEDED, "compare_with"]),
    ),
    Tool(
        "funnel",
        "Say how many visits (with within_days: visitors) get from each step to the next, in the"
        " order of the steps, and how long they take.",
        _schema(
            {
                **_EXPLORED,
                "steps": {
                    "type": "array",
                    "description": f"2 to 8 filters, each of an event or page: {_FILTER}",
                },
                "order": {
                    "type": "string",
                    "enum": ["loose", "strict"],
                    "description": "strict: nothing else may happen in between",
                },
                "within_days": {
                    "type": "integer",
                    "description": "1 to 90: follow visitors who have a cookie over that many days",
                },
            },
            ["site_id", "date_range", "steps"],
        ),
    ),
    Tool(
        "journey",
        "Say where visits went after a page or event, or where they came from, level by level.",
        _schema(
            {
                **_EXPLORED,
                "start": {"type": "array", "description": f"one filter: {_FILTER}"},
                "direction": {"type": "string", "enum": ["forward", "backward"]},
                "levels": {"type": "integer", "description": "how far to go, at most 10"},
                "limit": {"type": "integer", "description": "how many stops a level names"},
                "stops": {"type": "string", "enum": ["pages", "pages_and_events"]},
            },
            ["site_id", "date_range", "start"],
        ),
    ),
    Tool(
        "retention",
        "Say how many of the visitors first seen in each day, week or month came back in later"
        " ones. Only visitors with a cookie can be known again.",
        _schema(
            {**_EXPLORED, "unit": {"type": "string", "enum": [*RetentionUnit]}},
            ["site_id", "date_range"],
        ),
    ),
    Tool(
        "realtime",
        "Say how many visitors a site had in the last five minutes.",
        _schema({"site_id": _SITE}, ["site_id"]),
    ),
)


class AssistantTools:
    """Answers the tools from a store, for those who have a key with the scope `stats:read`."""

    def __init__(self, store: QueryableStore, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        stats = StatsAccess(store, catalog, clock, _refused)
        self._api = StatsV2(stats)
        explorations = ExplorationsApi(stats)
        self._answers: Mapping[str, Callable[[Arguments, str], Awaitable[object]]] = {
            "list_sites": self._sites,
            "query": _posted(self._api.query),
            "compare": self._compare,
            "funnel": _posted(explorations.funnel),
            "journey": _posted(explorations.journey),
            "retention": _posted(explorations.retention),
            "realtime": self._realtime,
        }

    async def answer(self, name: str, arguments: Arguments, authorization: str) -> object:
        """Return the answer of a tool, for JSON.

        Raise `NotFound` for an unknown tool, and what the Stats API raises.
        """
        access.check(access.key(authorization, self._catalog.keys), Scope.STATS_READ)
        if name not in self._answers:
            raise NotFound(f"{name[:80]} is not a tool; there are {', '.join(self._answers)}")
        return await self._answers[name](arguments, authorization)

    async def _sites(self, arguments: Arguments, authorization: str) -> object:
        _only(arguments, ())
        key = access.check(access.key(authorization, self._catalog.keys), Scope.STATS_READ)
        return [
            {
                "site_id": site.domain,
                "timezone": site.timezone,
                "goals": [goal.name for goal in site.goals],
                "segments": [
                    {"id": segment.id, "name": segment.name}
                    for segment in site.segments
                    if not segment.owner
                ],
            }
            for site in self._catalog.sites.all()
            if key.site in (None, site.domain)
        ]

    async def _compare(self, arguments: Arguments, authorization: str) -> object:
        question = {name: value for name, value in arguments.items() if name != "compare_with"}
        if "compare_with" not in arguments:
            raise Malformed("compare_with", "is missing; send the range to compare with")
        query = self._answers["query"]
        now = await query(question, authorization)
        other = {**question, "date_range": arguments["compare_with"]}
        return {"date_range": now, "compare_with": await query(other, authorization)}

    async def _realtime(self, arguments: Arguments, authorization: str) -> object:
        _only(arguments, ("site_id",))
        request = _request(authorization, site=str(arguments.get("site_id", "")))
        visitors = msgspec.json.decode((await self._api.realtime_visitors(request)).body)
        return {"visitors": visitors}


def _posted(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Arguments, str], Awaitable[object]]:
    """Return the answer of *handler* to the arguments of a tool, sent as the body of a POST."""

    async def answer(arguments: Arguments, authorization: str) -> object:
        request = _request(authorization, body=msgspec.json.encode(arguments))
        return msgspec.json.decode((await handler(request)).body)

    return answer


def _only(arguments: Arguments, names: Sequence[str]) -> None:
    for name in arguments:
        if name not in names:
            raise Malformed(name[:80], "is not an argument of this tool")


def _request(authorization: str, *, site: str = "", body: bytes = b"") -> Request:
    """Return a request of the Stats API with the assistant's key and *body*."""
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(sent)

    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/api/v2/query",
            "query_string": urlencode({"site_id": site}).encode(),
            "headers": [(b"authorization", authorization.encode("latin-1", "replace"))],
        },
        receive,
    )


async def _refused(_: str) -> None:
    raise Malformed("wait", "is not an argument of a tool")
