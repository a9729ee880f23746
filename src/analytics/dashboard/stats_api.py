"""The Stats API: `POST /api/v2/query`, and who may ask it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from analytics.dashboard import stats_query
from analytics.dashboard.date_range import describe
from analytics.dashboard.stats_query import Asked
from analytics.errors import Forbidden, NotFound, TooLarge, Unauthenticated
from analytics.person import Key, Scope
from analytics.query import Figure, Metric, Order, Period, Query, Result
from analytics.site import Site
from analytics.store import localtime
from analytics.store.buckets import time_labels
from analytics.store.catalog.base import Catalog

Clock = Callable[[], int]
Wait = Callable[[str], Awaitable[None]]
"""Returns when a receipt's events are in the figures; raises `Malformed` or `NotVisibleYet`."""

REALTIME_MS: Final = 5 * 60_000
_MAX_BODY_BYTES: Final = 256 * 1024
_MONEY: Final = (Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE)


class Figures(Protocol):
    """The part of a store that answers."""

    async def query(self, query: Query) -> Result:
        """As `SeriesStore.query`."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""


def routes(store: Figures, catalog: Catalog, clock: Clock, wait: Wait) -> list[BaseRoute]:
    """The routes of the API."""
    api = StatsApi(store, catalog, clock, wait)
    return [
        Route("/api/v2/query", api.query, methods=["POST"]),
        Route("/api/v1/stats/realtime/visitors", api.realtime_visitors),
    ]


class StatsApi:
    """Answers a key that has the scope `stats:read` on the site it asks about."""

    def __init__(self, store: Figures, catalog: Catalog, clock: Clock, wait: Wait) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._wait = wait

    async def query(self, request: Request) -> Response:
        """`POST /api/v2/query`."""
        self._key(request)
        asked = stats_query.parse(await _body(request))
        site = self.site(request, asked.site_id)
        await self.settled(request)
        period = await self.period(asked, site)
        query = asked.query(site.domain, period)
        result = await self._store.query(query)
        return JSONResponse(
            {
                "results": [
                    {
                        "dimensions": row.dimensions,
                        "metrics": [
                            _shown(metric, value)
                            for metric, value in zip(query.metrics, row.metrics, strict=True)
                        ],
                    }
                    for row in result.rows
                ],
                "meta": _meta(asked, site, query, result),
                "query": _as_understood(asked, query),
            }
        )

    async def realtime_visitors(self, request: Request) -> Response:
        """`GET /api/v1/stats/realtime/visitors`: who had an event in the last five minutes."""
        site = self.site(request, request.query_params.get("site_id", ""))
        await self.settled(request)
        now = self._clock()
        period = Period(now - REALTIME_MS, now + 1, site.timezone)
        result = await self._store.query(
            Query(site=site.domain, metrics=(Metric.VISITORS,), period=period)
        )
        return JSONResponse(result.rows[0].metrics[0])

    def site(self, request: Request, name: str) -> Site:
        """The site of that name, if the request's key may read its figures."""
        key = self._key(request)
        site = self._catalog.sites.get(name)
        if key.site is not None and (site is None or site.domain != key.site):
            raise Forbidden(f"This key is for {key.site} only.")
        if site is None:
            raise NotFound(f"There is no site {name!r} here.")
        return site

    async def period(self, asked: Asked, site: Site) -> Period:
        """The period asked for; "all" begins with the site's first event."""
        first = await self._store.first_event(site.domain) if asked.date_range == "all" else None
        return asked.period(site.timezone, self._clock(), first)

    async def settled(self, request: Request) -> None:
        """Wait for what `?wait=` names."""
        if (receipt := request.query_params.get("wait")) is not None:
            await self._wait(receipt)

    def _key(self, request: Request) -> Key:
        """The key that came with the request, if it may read figures at all."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("Send a key: `Authorization: Bearer <key>`.")
        key = self._catalog.keys.find(secret.strip())
        if key is None:
            raise Unauthenticated("This key is unknown or was revoked.")
        if Scope.STATS_READ not in key.scopes:
            raise Forbidden("This key lacks the scope stats:read.")
        return key


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise TooLarge(f"A question has at most {_MAX_BODY_BYTES:,} bytes.")
    return bytes(body)


def _meta(asked: Asked, site: Site, query: Query, result: Result) -> dict[str, object]:
    meta: dict[str, object] = {}
    if asked.time_labels:
        meta["time_labels"] = time_labels(query)
    if result.total_rows is not None:
        meta["total_rows"] = result.total_rows
    if asked.imports:
        meta["imports_included"] = False
    if result.visitor_days or (site.cookieless and _several_days(query.period)):
        meta["visitor_days"] = True
    if result.as_of is not None:
        meta["as_of"] = result.as_of
    return meta


def _several_days(period: Period) -> bool:
    last = localtime.day_of(period.timezone, period.end - 1)
    return last > localtime.day_of(period.timezone, period.start)


def _as_understood(asked: Asked, query: Query) -> dict[str, object]:
    orders = query.order_by or (
        *(Order(d, descending=False) for d in query.dimensions if d.startswith("time:")),
        Order(query.metrics[0]),
    )
    return {
        "site_id": query.site,
        "metrics": query.metrics,
        "date_range": describe(query.period),
        "dimensions": query.dimensions,
        "filters": asked.sent_filters,
        "order_by": [(o.key, "desc" if o.descending else "asc") for o in orders],
        "include": {
            "time_labels": asked.time_labels,
            "total_rows": asked.total_rows,
            "imports": asked.imports,
        },
        "pagination": {"limit": query.limit, "offset": query.offset},
    }


def _shown(metric: Metric, value: Figure) -> object:
    """A figure as JSON; money by its parts."""
    if metric not in _MONEY or not isinstance(value, str):
        return value
    amount, _, currency = value.partition(" ")
    return {
        "value": float(amount),
        "currency": currency,
        "short": f"{currency} {float(amount):,.0f}",
        "long": f"{currency} {float(amount):,.2f}",
    }
