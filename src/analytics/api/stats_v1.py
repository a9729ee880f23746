"""Version 1 of the Stats API: aggregate, timeseries and breakdown, with query strings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, structs
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from analytics import bounds, date_range, dimension_facts, parsing
from analytics.api import figures, imports, named_filters, query_json
from analytics.api.access import StatsAccess
from analytics.api.sent_query import MAX_LIMIT, DimensionName
from analytics.api.stats_replies import AggregateReply, RowsReply
from analytics.api_operation import (
    JSON,
    SITE_ERRORS,
    WAIT,
    ApiAnswer,
    ApiOperation,
    ApiParameter,
    ApiRoute,
)
from analytics.cpu_thread import run_in_cpu_thread
from analytics.errors import UNDECODABLE, Malformed
from analytics.parsing import whole_number
from analytics.person import Scope
from analytics.query import (
    PROPERTY_PREFIX,
    Compare,
    Dimension,
    Figure,
    Filter,
    Metric,
    Op,
    Period,
    Query,
    Result,
)
from analytics.site import Site
from analytics.store.sql import query_cost, time_buckets
from analytics.suggestions import unknown

_IMPORTS: Final = "with_imported"
_TRUE: Final = ("true", "1")
_FALSE: Final = ("false", "0")
_USUAL_PERIOD: Final = "30d"
_MAX_LIMIT: Final = 1_000
_MAX_PAGE: Final = 1_000_000
_OPERATOR: Final = re.compile("==|!=|~")
_VERSION_OF: Final[Mapping[str, tuple[str, ...]]] = {
    Dimension.BROWSER_VERSION: (Dimension.BROWSER,),
    Dimension.OS_VERSION: (Dimension.OS,),
}
"""What a version is one of: rows by version have it, too."""
_TAGS: Final[frozenset[str]] = frozenset(
    {
        Dimension.UTM_MEDIUM,
        Dimension.UTM_SOURCE,
        Dimension.UTM_CAMPAIGN,
        Dimension.UTM_CONTENT,
        Dimension.UTM_TERM,
    }
)
"""Dimensions by which a breakdown leaves out those who have no value."""
_INTERVALS: Final = {
    "hour": Dimension.HOUR,
    "date": Dimension.DAY,
    "day": Dimension.DAY,
    "week": Dimension.WEEK,
    "month": Dimension.MONTH,
}


_METRICS: Final = "^({0})(,({0})){{0,9}}$".format("|".join(Metric))
_SHARED: Final = (
    ApiParameter("site_id", "the site's domain, id or number", required=True),
    ApiParameter(
        "period",
        f"`{_USUAL_PERIOD}` unless given",
        Annotated[str, Meta(extra_json_schema={"pattern": f"^({date_range.WORDS}|custom)$"})],
    ),
    ApiParameter("date", "the day that the period contains or ends before; two for `custom`"),
    ApiParameter(
        "metrics",
        "by commas; `visitors` unless given",
        Annotated[str, Meta(extra_json_schema={"pattern": _METRICS})],
    ),
    ApiParameter(
        "filters",
        "by `;`, or a list in JSON",
        Annotated[
            str,
            Meta(
                max_length=bounds.FILTERS_V1_CHARS,
                examples=["visit:country==DE|FR;event:page!=/blog/**"],
            ),
        ],
    ),
    ApiParameter("with_imported", "`true`: `meta` says whether imported figures are included"),
    ApiParameter("bots", "`true`: machines count, too"),
    WAIT,
)


def _described(summary: str, reply: object, *own: ApiParameter) -> ApiOperation:
    return ApiOperation(
        summary=summary,
        group="Stats, version 1",
        parameters=(*_SHARED, *own),
        answers=(ApiAnswer("The figures.", {JSON: reply}),),
        errors=SITE_ERRORS,
        scope=Scope.STATS_READ,
    )


AGGREGATE: Final = _described(
    "One figure for each metric",
    AggregateReply,
    ApiParameter("compare", "adds each figure's change", Literal["previous_period"]),
)
TIMESERIES: Final = _described(
    "The figures of every bucket of a period",
    RowsReply,
    ApiParameter(
        "interval",
        "the length of a bucket",
        Annotated[str, Meta(extra_json_schema={"enum": [*_INTERVALS]})],
    ),
)
BREAKDOWN: Final = _described(
    "The figures of each value of a dimension",
    RowsReply,
    ApiParameter("property", "the dimension", DimensionName, required=True),
    ApiParameter("limit", "how many rows; 100", Annotated[int, Meta(ge=1, le=_MAX_LIMIT)]),
    ApiParameter(
        "page", "which of the pages of so many rows; 1", Annotated[int, Meta(ge=1, le=_MAX_PAGE)]
    ),
)
_PARAMETERS: Final = sorted(
    {each.name for one in (AGGREGATE, TIMESERIES, BREAKDOWN) for each in one.parameters}
    | {"from", "to"}
)


def routes(access: StatsAccess) -> list[BaseRoute]:
    """Return the routes of version 1."""
    v1 = StatsV1(access)
    return [
        ApiRoute("GET", "/api/v1/stats/aggregate", v1.aggregate, AGGREGATE),
        ApiRoute("GET", "/api/v1/stats/timeseries", v1.timeseries, TIMESERIES),
        ApiRoute("GET", "/api/v1/stats/breakdown", v1.breakdown, BREAKDOWN),
    ]


class StatsV1:
    """Runs the same queries as version 2; only the form of request and reply differs."""

    def __init__(self, access: StatsAccess) -> None:
        self._access = access

    async def aggregate(self, request: Request) -> Response:
        """Return one figure for each metric; with `compare=previous_period`, its change, too."""
        query = await self._query(request)
        result = await self._access.store.query(query)
        (now,) = result.rows
        compare = _param(request.query_params, "compare")
        if compare not in ("", "previous_period"):
            raise Malformed("compare", unknown("comparison", compare, ["previous_period"]))
        results: dict[str, dict[str, object]] = {
            metric.value: {"value": figures.json_of(metric, value)}
            for metric, value in zip(query.metrics, now.metrics, strict=True)
        }
        if compare:
            before = structs.replace(query, period=date_range.previous(query.period))
            (then,) = (await self._access.store.query(before)).rows
            for metric, new, old in zip(query.metrics, now.metrics, then.metrics, strict=True):
                results[metric.value]["change"] = figures.change(metric, new, old)
                results[metric.value]["comparison_value"] = figures.json_of(metric, old)
        return JSONResponse({"results": results, **_meta(request.query_params, result)})

    async def timeseries(self, request: Request) -> Response:
        """Return the figures of every bucket of the period, including those without events."""
        self._access.key(request)
        params = request.query_params
        period = _param(params, "period", _USUAL_PERIOD)
        usual = {"day": "hour", "24h": "hour", "6mo": "month", "12mo": "month"}.get(period, "date")
        interval = _param(params, "interval", usual)
        if interval not in _INTERVALS:
            raise Malformed("interval", unknown("interval", interval, _INTERVALS))
        query = await self._query(request, _INTERVALS[interval])
        time_buckets.check(query, "interval")
        result = await self._access.store.query(query)
        return await run_in_cpu_thread(lambda: _series(params, query, result))

    async def breakdown(self, request: Request) -> Response:
        """Return the figures of each value of `property`, the largest first."""
        self._access.key(request)
        params = request.query_params
        limit = whole_number(_param(params, "limit", "100"), "limit", least=1, most=_MAX_LIMIT)
        page = whole_number(_param(params, "page", "1"), "page", least=1, most=_MAX_PAGE)
        if not (property_name := _param(params, "property")):
            raise Malformed("property", "is missing; send a dimension, such as visit:source")
        dimension = query_json.dimension(property_name, "property")
        dimensions = (*_VERSION_OF.get(dimension, ()), dimension)
        query = await self._query(request, *dimensions, limit=limit, offset=(page - 1) * limit)
        names = [dimension_facts.property_key(d) or d.rpartition(":")[2] for d in dimensions]
        result = await self._access.store.query(_with_rates_of_rows(query, dimension))
        return JSONResponse(
            {
                "results": [
                    {
                        **dict(zip(names, row.dimensions, strict=True)),
                        **_named(query, row.metrics),
                    }
                    for row in result.rows
                ],
                **_meta(params, result),
            }
        )

    async def _query(
        self,
        request: Request,
        *dimensions: str,
        limit: int = MAX_LIMIT,
        offset: int = 0,
    ) -> Query:
        params = request.query_params
        _check_names(params)
        site = self._access.site(request, _param(params, "site_id"))
        await self._access.settled(request)
        names = dict.fromkeys(map(str.strip, params.get("metrics", "visitors").split(",")))
        query = Query(
            site=site.domain,
            metrics=tuple(query_json.metric(name, "metrics") for name in names),
            period=await self._period(params, site),
            dimensions=dimensions,
            filters=(
                *_filters(params.get("filters", "")),
                *(Compare(Op.IS_NOT, each, ("",)) for each in dimensions if each in _TAGS),
            ),
            limit=limit,
            offset=offset,
            bots=_flag(params, "bots"),
            imports=_flag(params, _IMPORTS),
        )
        query = named_filters.resolve(query, site)
        query_json.check_machines(query, "bots")
        query_cost.check(query)  # before it waits for its turn
        return query

    async def _period(self, params: QueryParams, site: Site) -> Period:
        """Return the period as version 1 defines it: `month` and `year` are whole ones."""
        name, on = _param(params, "period", _USUAL_PERIOD), _param(params, "date", "today")
        now = self._access.clock()
        if name == "custom":
            ends = [params[end] for end in ("from", "to") if end in params] or on.split(",")
            if len(ends) != 2:
                raise Malformed("date", "a custom period needs date=<first day>,<last day>")
            with _named_as("date"):
                return date_range.resolve([end.strip() for end in ends], site.timezone, now)
        if on != "today":
            day = parsing.day(on, "date")
            # As at the end of that day.
            now = date_range.resolve([on, on], site.timezone, now).end - 1
        else:
            day = date_range.local(now, site.timezone).date()
        if (period := date_range.calendar(name, day, site.timezone)) is not None:
            return period
        first = None
        if name == "all":
            first = await imports.first_counted(
                self._access.store, site.domain, site.timezone, imports=_flag(params, _IMPORTS)
            )
        with _named_as("period"):
            return date_range.resolve(name, site.timezone, now, first)


def _param(params: QueryParams, name: str, usual: str = "") -> str:
    """Return the parameter *name*, stripped; *usual* if it is missing."""
    return params.get(name, usual).strip()


def _flag(params: QueryParams, name: str) -> bool:
    """Return whether the parameter *name* is set. Raise `Malformed` unless it is true or false."""
    value = _param(params, name).lower()
    if value not in ("", *_TRUE, *_FALSE):
        raise Malformed(name, f"must be true or false, not {value[:60]!r}")
    return value in _TRUE


def _check_names(params: QueryParams) -> None:
    """Raise `Malformed` for a parameter that was misspelled; other unknown ones are let through.

    Clients of Plausible send some that mean nothing here.
    """
    for name in params:
        near = get_close_matches(name[:60], _PARAMETERS, n=1, cutoff=0.8)
        if near and near[0] != name:
            raise Malformed(name[:60], f"is not known here; did you mean {near[0]}?")


@contextmanager
def _named_as(field: str) -> Iterator[None]:
    """Name *field*, as version 1 calls it, in a `Malformed` that the block raises."""
    try:
        yield
    except Malformed as error:
        raise Malformed(field, error.reason) from None


def _series(params: QueryParams, query: Query, result: Result) -> Response:
    """Return all buckets of the series as JSON: thousands, so not on the event loop."""
    counted = {row.dimensions[0]: row.metrics for row in result.rows}
    nothing = figures.of_nothing(query.metrics)
    return JSONResponse(
        {
            "results": [
                {"date": bucket, **_named(query, counted.get(bucket, nothing))}
                for bucket in time_buckets.time_labels(query)
            ],
            **_meta(params, result),
        }
    )


def _meta(params: QueryParams, result: Result) -> Mapping[str, object]:
    """Return the member `meta` as in version 2, and `warning`; empty if there is neither."""
    meta: dict[str, object] = {}
    if _flag(params, _IMPORTS):
        meta |= imports.meta(result)
    warned = {"warning": meta["imports_warning"]} if "imports_warning" in meta else {}
    if result.as_of is not None:
        meta["as_of"] = result.as_of
        if result.waiting:
            meta["waiting"] = result.waiting
    return {**warned, "meta": meta} if meta else {}


def _with_rates_of_rows(query: Query, dimension: str) -> Query:
    """Return *query* with conversion rates in percent of each row's visitors.

    That is what a breakdown of version 1 means by them, but by goals and properties, where they
    are in percent of all visitors; version 2 has two metrics for the two.
    """
    if dimension == Dimension.GOAL or dimension.startswith(PROPERTY_PREFIX):
        return query
    metrics = tuple(
        Metric.GROUP_CONVERSION_RATE if metric is Metric.CONVERSION_RATE else metric
        for metric in query.metrics
    )
    return structs.replace(query, metrics=metrics)


def _named(query: Query, values: Sequence[Figure]) -> Mapping[str, object]:
    return {m.value: figures.json_of(m, v) for m, v in zip(query.metrics, values, strict=True)}


def _filters(text: str) -> Sequence[Filter]:
    """Return the filters of a text such as `visit:country==DE|FR;event:page==/blog/**`.

    All of them must hold, each for any of its values. A list in JSON is one of version 2.
    Raise `Malformed`.
    """
    if len(text) > bounds.FILTERS_V1_CHARS:
        raise Malformed("filters", f"it is longer than {bounds.FILTERS_V1_CHARS:,} characters")
    if text.lstrip().startswith("["):
        try:
            sent = msgspec.json.decode(text)
        except UNDECODABLE as exc:
            raise Malformed("filters", f"the list is not JSON: {exc}") from exc
        return query_json.filters_of(sent, "filters")
    return [_filter(part) for part in re.split(r"(?<!\\);", text) if part.strip()]


def _filter(part: str) -> Compare:
    operator = _OPERATOR.search(part)
    if operator is None or not part[operator.end() :].strip():
        raise Malformed(
            "filters", f"{part[:80]!r} is not <dimension>==<value>, <dimension>!=<value> or ~"
        )
    name = query_json.dimension(part[: operator.start()].strip(), "filters")
    values = re.split(r"(?<!\\)\|", part[operator.end() :])
    texts = [re.sub(r"\\([|;])", r"\1", value.strip()) for value in values]
    negated = operator[0] == "!="
    if operator[0] == "~":
        return Compare(Op.CONTAINS, name, tuple(texts))
    if name != Dimension.GOAL and any("*" in text for text in texts):
        return query_json.wildcards(name, texts, negated=negated)
    return Compare(Op.IS_NOT if negated else Op.IS, name, tuple(texts))
