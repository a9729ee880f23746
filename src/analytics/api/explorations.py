"""Serves `POST /api/v2/funnel`, `/api/v2/journey` and `/api/v2/retention`."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from analytics import date_range
from analytics.api import exploration_json
from analytics.api.access import StatsAccess, body_of
from analytics.api.exploration_json import (
    ExplorationBody,
    FunnelBody,
    JourneyBody,
    RetentionBody,
)
from analytics.api.exploration_replies import FunnelReply, JourneyReply, RetentionReply
from analytics.api.sent_query import FILTER_SCHEMAS
from analytics.api_operation import BODY_ERRORS, JSON, WAIT, ApiAnswer, ApiOperation, ApiRoute
from analytics.cpu_thread import run_in_cpu_thread
from analytics.exploration import Exploration, ExplorationResult
from analytics.person import Scope
from analytics.store.sql import exploration_cost


def _described(summary: str, body: object, reply: object) -> ApiOperation:
    return ApiOperation(
        summary=summary,
        group="Stats",
        parameters=(WAIT,),
        body={JSON: body},
        answers=(ApiAnswer("The figures.", {JSON: reply}),),
        errors=BODY_ERRORS,
        scope=Scope.STATS_READ,
        schemas=FILTER_SCHEMAS,
    )


FUNNEL: Final = _described("How many get from each step to the next", FunnelBody, FunnelReply)
JOURNEY: Final = _described(
    "Where visits went from an event, or came from", JourneyBody, JourneyReply
)
RETENTION: Final = _described(
    "How many of those first seen at a time came back, and when", RetentionBody, RetentionReply
)


def routes(access: StatsAccess) -> list[BaseRoute]:
    """Return the routes, for the keys and the store of *access*."""
    api = ExplorationsApi(access)
    return [
        ApiRoute("POST", "/api/v2/funnel", api.funnel, FUNNEL),
        ApiRoute("POST", "/api/v2/journey", api.journey, JOURNEY),
        ApiRoute("POST", "/api/v2/retention", api.retention, RETENTION),
    ]


class ExplorationsApi:
    """Answers explorations in JSON."""

    def __init__(self, access: StatsAccess) -> None:
        self._access = access

    async def funnel(self, request: Request) -> Response:
        """Answer `POST /api/v2/funnel`: how many get from each step to the next."""
        return await self._answer(request, FunnelBody)

    async def journey(self, request: Request) -> Response:
        """Answer `POST /api/v2/journey`: where visits went from an event, or came from."""
        return await self._answer(request, JourneyBody)

    async def retention(self, request: Request) -> Response:
        """Answer `POST /api/v2/retention`.

        How many of those first seen at a time came back, and when.
        """
        return await self._answer(request, RetentionBody)

    async def _answer(self, request: Request, kind: type[ExplorationBody]) -> Response:
        access = self._access
        access.key(request)
        body = exploration_json.parse(await body_of(request), kind)
        site = access.site(request, body.site_id)
        await access.settled(request)
        first = await access.store.first_event(site.domain) if body.date_range == "all" else None
        period = date_range.resolve(body.date_range, site.timezone, access.clock(), first)
        exploration = body.asked(site, period)
        exploration_cost.check(exploration)  # before it waits for its turn
        result = await access.store.explore(exploration)
        return await run_in_cpu_thread(lambda: _reply(exploration, result))


def _reply(exploration: Exploration, result: ExplorationResult) -> Response:
    meta: dict[str, object] = {}
    if result.as_of is not None:
        meta["as_of"] = result.as_of
        if result.waiting:
            meta["waiting"] = result.waiting
    understood = {
        "site_id": exploration.site,
        "date_range": date_range.describe(exploration.period),
    }
    answer = exploration_json.results(exploration, result)
    return JSONResponse({**answer, "meta": meta, "query": understood})
