"""Version 2 of the Stats API, `POST /api/v2/query`, and the count of current visitors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from analytics.api import (
    comparisons,
    explorations,
    figures,
    imports,
    named_filters,
    query_json,
    revenue_warnings,
    stats_v1,
)
from analytics.api.access import Clock, QueryableStore, StatsAccess, Wait, body_of
from analytics.api.query_json import QueryBody
from analytics.api.sent_query import FILTER_SCHEMAS, SentQuery
from analytics.api.stats_replies import QueryReply
from analytics.api_operation import (
    BODY_ERRORS,
    JSON,
    SITE_ERRORS,
    WAIT,
    ApiAnswer,
    ApiOperation,
    ApiParameter,
    ApiRoute,
)
from analytics.catalog.base import Catalog
from analytics.cpu_thread import run_in_cpu_thread
from analytics.date_range import describe
from analytics.person import Scope
from analytics.query import Metric, Order, Period, Query, Result, ResultRow
from analytics.site import Site
from analytics.store.sql import query_shape, time_buckets

REALTIME_MS: Final = 5 * 60_000


QUERY: Final = ApiOperation(
    summary="Figures of a site",
    group="Stats",
    parameters=(WAIT,),
    body={JSON: SentQuery},
    answers=(ApiAnswer("The figures, row by row.", {JSON: QueryReply}),),
    errors=BODY_ERRORS,
    scope=Scope.STATS_READ,
    schemas=FILTER_SCHEMAS,
)
REALTIME: Final = ApiOperation(
    summary="Visitors of the last five minutes",
    group="Stats",
    parameters=(ApiParameter("site_id", "the site's domain, id or number", required=True), WAIT),
    answers=(ApiAnswer("Their number.", {JSON: int}),),
    errors=SITE_ERRORS,
    scope=Scope.STATS_READ,
)


class Compared(NamedTuple):
    """A query for the earlier period, and its result."""

    query: Query
    result: Result


def routes(store: QueryableStore, catalog: Catalog, clock: Clock, wait: Wait) -> list[BaseRoute]:
    """Return the routes of both versions."""
    access = StatsAccess(store, catalog, clock, wait)
    api = StatsV2(access)
    return [
        ApiRoute("POST", "/api/v2/query", api.query, QUERY),
        ApiRoute("GET", "/api/v1/stats/realtime/visitors", api.realtime_visitors, REALTIME),
        *explorations.routes(access),
        *stats_v1.routes(access),
    ]


class StatsV2:
    """Answers queries in JSON."""

    def __init__(self, access: StatsAccess) -> None:
        self._access = access

    async def query(self, request: Request) -> Response:
        """Answer `POST /api/v2/query`."""
        self._access.key(request)
        question = query_json.parse(await body_of(request))
        site = self._access.site(request, question.site_id)
        await self._access.settled(request)
        period = await self._period(question, site)
        query = named_filters.resolve(question.query(site, period), site)
        query_json.check_machines(query, "include.bots")
        query_shape.check(query)  # before it waits in the queue
        result = await self._access.store.query(query)
        compared = await self._compared(question, query)
        return await run_in_cpu_thread(lambda: _reply(question, site, query, result, compared))

    async def _compared(self, question: QueryBody, query: Query) -> Compared | None:
        """Return the result for the earlier period of *question*; None without a comparison."""
        if question.comparison is None:
            return None
        period = question.comparison.period(query.period, self._access.clock())
        before = comparisons.query_of(query, period)
        query_shape.check(before)
        return Compared(before, await self._access.store.query(before))

    async def realtime_visitors(self, request: Request) -> Response:
        """Answer `GET /api/v1/stats/realtime/visitors`: the visitors of the last five minutes."""
        site = self._access.site(request, request.query_params.get("site_id", ""))
        await self._access.settled(request)
        now = self._access.clock()
        period = Period(now - REALTIME_MS, now + 1, site.timezone)
        result = await self._access.store.query(
            Query(site=site.domain, metrics=(Metric.VISITORS,), period=period)
        )
        return JSONResponse(result.rows[0].metrics[0])

    async def _period(self, question: QueryBody, site: Site) -> Period:
        """Return the requested period; `all` begins with the site's first figures."""
        first = (
            await imports.first_counted(
                self._access.store, site.domain, site.timezone, imports=question.imports
            )
            if question.date_range == "all"
            else None
        )
        return question.period(site.timezone, self._access.clock(), first)


def _reply(
    question: QueryBody, site: Site, query: Query, result: Result, compared: Compared | None
) -> Response:
    """Return the answer as JSON: up to thousands of rows, so not on the event loop."""
    rows: Iterable[tuple[ResultRow, object]] = ((row, None) for row in result.rows)
    if compared is not None:
        rows = comparisons.rows(query, result, compared.query, compared.result)
    warned = revenue_warnings.of(query, question.filters, site, result)
    return JSONResponse(
        {
            "results": [
                {
                    "dimensions": row.dimensions,
                    "metrics": [
                        figures.json_of(metric, value)
                        for metric, value in zip(query.metrics, row.metrics, strict=True)
                    ],
                    **({} if compared is None else {"comparison": comparison}),
                }
                for row, comparison in rows
            ],
            "meta": {
                **_meta(question, query, result),
                **({"metric_warnings": warned} if warned else {}),
            },
            "query": _as_understood(question, site, query, compared),
        }
    )


def _meta(question: QueryBody, query: Query, result: Result) -> dict[str, object]:
    meta: dict[str, object] = {}
    if question.time_labels:
        meta["time_labels"] = time_buckets.time_labels(query)
    if result.total_rows is not None:
        meta["total_rows"] = result.total_rows
    if question.imports:
        meta |= imports.meta(result)
    if result.visitor_days:
        meta["visitor_days"] = True
    if result.as_of is not None:
        meta["as_of"] = result.as_of
        if result.waiting:
            meta["waiting"] = result.waiting
    return meta


def _as_understood(
    question: QueryBody, site: Site, query: Query, compared: Compared | None
) -> dict[str, object]:
    orders = query.order_by or (
        *(Order(d, descending=False) for d in query.dimensions if d.startswith("time:")),
        Order(query.metrics[0]),
    )
    return {
        "site_id": query.site,
        "metrics": query.metrics,
        "date_range": describe(query.period),
        **({"comparison_date_range": describe(compared.query.period)} if compared else {}),
        "dimensions": query.dimensions,
        "filters": named_filters.without_segments(question.sent_filters, site),
        "order_by": [(o.key, "desc" if o.descending else "asc") for o in orders],
        "include": {
            "time_labels": question.time_labels,
            "total_rows": question.total_rows,
            "imports": question.imports,
            **({"comparisons": question.sent_comparison} if question.comparison else {}),
            **({"bots": True} if question.bots else {}),
        },
        "pagination": {"limit": query.limit, "offset": query.offset},
    }
