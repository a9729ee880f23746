"""`GET /api/ledger`: the counts of received, stored and dropped hits by site and hour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NotRequired, TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from analytics import access, bounds, caller, time_span
from analytics.api_operation import (
    JSON,
    SITE_ERRORS,
    ApiAnswer,
    ApiOperation,
    ApiParameter,
    ApiRoute,
)
from analytics.catalog.base import Catalog
from analytics.cpu_thread import run_in_cpu_thread
from analytics.errors import Forbidden, NotFound, Unauthenticated
from analytics.person import Person, Scope
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.store import lag as lags
from analytics.store.base import SeriesStore
from analytics.store.lag import Lag

Reader = Callable[[Request], Awaitable[Person | None]]
"""Returns the person whose session a request carries; None without one."""


class LedgerCounts(TypedDict):
    """What became of the hits of some time."""

    balanced: bool
    received: int
    stored: int
    duplicate: int
    dropped: dict[str, int]
    """By the reason."""
    dead: int
    erased: int


class LedgerHour(LedgerCounts):
    """What became of the hits of an hour."""

    hour: int
    """When it began, in milliseconds since 1970."""


class LedgerSite(LedgerCounts):
    """What became of the hits of a site."""

    site: str
    hours: list[LedgerHour]


class LedgerReply(TypedDict):
    """The ledger, as far as the caller may see it."""

    balanced: bool
    waiting: NotRequired[int]
    """How many hits of all sites are still to be counted."""
    as_of: NotRequired[int]
    sites: list[LedgerSite]


OPERATION: Final = ApiOperation(
    summary="What became of every hit",
    group="Stats",
    parameters=(
        ApiParameter("site", "one site, else all that the caller may see; also `site_id`"),
        ApiParameter("from", "the first day or instant"),
        ApiParameter("to", "the last day, or the instant before which it ends"),
    ),
    answers=(ApiAnswer("The counts of each site and hour.", {JSON: LedgerReply}),),
    errors=SITE_ERRORS,
    scope=Scope.STATS_READ,
)


class LedgerApi:
    """The ledger for requests with a key of the scope `stats:read`, or with a session."""

    def __init__(
        self,
        store: SeriesStore,
        catalog: Catalog,
        reader: Reader,
        *,
        lag: Callable[[], Lag | None] = lags.none,
    ) -> None:
        self._store = store
        self._lag = lag
        self._catalog = catalog
        self._reader = reader

    def routes(self) -> list[BaseRoute]:
        """Return the route."""
        return [ApiRoute("GET", "/api/ledger", self._show, OPERATION)]

    async def _show(self, request: Request) -> Response:
        name = request.query_params.get("site") or request.query_params.get("site_id")
        allowed = await self._allowed(request)
        zone = "Etc/UTC"
        if name is not None:
            site = self._catalog.sites.get(name)
            if site is None or (allowed is not None and site.domain not in allowed):
                # The same answer in both cases, so as not to reveal which sites exist.
                whose = "here" if allowed is None else "that you may see"
                raise NotFound(f"{name[:300]} is not a site {whose}")
            allowed, zone = frozenset({site.domain}), site.timezone
        span = time_span.of(request.query_params.get("from"), request.query_params.get("to"), zone)
        lag = self._lag()
        ledger = await self._ledger(allowed, span)
        # In a thread: years of hours of many sites take too long for the event loop.
        return await run_in_cpu_thread(lambda: JSONResponse(describe(ledger, allowed, lag)))

    async def _ledger(
        self, allowed: frozenset[str] | None, span: tuple[int, int]
    ) -> Mapping[LedgerKey, LedgerLine]:
        """Return the lines of the *allowed* sites only, because those of all sites are many."""
        if allowed is None:
            return await self._store.ledger(span=span, most=bounds.LEDGER_LINES)
        lines: dict[LedgerKey, LedgerLine] = {}
        for site in sorted(allowed):
            most = max(0, bounds.LEDGER_LINES - len(lines))
            lines.update(await self._store.ledger(site, span=span, most=most))
        return lines

    async def _allowed(self, request: Request) -> frozenset[str] | None:
        """Return the domains that the caller may see; None for all, with hits for unknown sites.

        Raise `Unauthenticated` or `Forbidden`.
        """
        key = access.key(request.headers.get("authorization", ""), self._catalog.keys)
        if key is not None:
            access.check(key, Scope.STATS_READ)
            return None if key.site is None else frozenset({key.site})
        person = await self._reader(request)
        if person is not None:
            caller.set_person(person.id)
        if person is None:
            raise Unauthenticated("send a key with the scope stats:read, or log in")
        if person.must_change:
            raise Forbidden("somebody else chose your password: choose your own first, at /account")
        return None if person.owner else frozenset(person.sites)


def describe(
    ledger: Mapping[LedgerKey, LedgerLine],
    allowed: frozenset[str] | None,
    lag: Lag | None = None,
) -> dict[str, Any]:
    """Return the reply as JSON: totals for each site, and its hours from the oldest on.

    While acknowledged hits wait to be counted (*lag*), the whole is not called balanced.
    """
    sites: dict[str, list[tuple[int, LedgerLine]]] = {}
    for key, line in sorted(ledger.items()):
        if allowed is None or key.site in allowed:
            sites.setdefault(key.site, []).append((key.hour, line))
    described = [_site(site, lines) for site, lines in sites.items()]
    balanced = lag is None and all(site["balanced"] for site in described)
    waiting = {} if lag is None else {"waiting": lag.records, "as_of": lag.as_of}
    return {"balanced": balanced, **waiting, "sites": described}


def _site(site: str, lines: list[tuple[int, LedgerLine]]) -> dict[str, Any]:
    hours = [{"hour": hour, **_counts(line)} for hour, line in lines]
    dropped: dict[str, int] = {}
    for _, line in lines:
        for reason, count in line.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    return {
        "site": site,
        "balanced": all(hour["balanced"] for hour in hours),
        "received": sum(line.received for _, line in lines),
        "stored": sum(line.stored for _, line in lines),
        "duplicate": sum(line.duplicate for _, line in lines),
        "dropped": dropped,
        "dead": sum(line.dead for _, line in lines),
        "erased": sum(line.erased for _, line in lines),
        "hours": hours,
    }


def _counts(line: LedgerLine) -> dict[str, Any]:
    accounted = line.stored + line.duplicate + sum(line.dropped.values()) + line.dead
    return {**line._asdict(), "dropped": dict(line.dropped), "balanced": line.received == accounted}
