"""The page of the server itself: people, keys, audit log, backends and routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from analytics import __version__
from analytics.breaker import Breaker, BreakerState, CallOutcome
from analytics.dashboard import audit_list, confirmation, replica_list, server_access
from analytics.dashboard.context import DashboardContext, RouteDescription
from analytics.dashboard.page_request import PageRequest, endpoint
from analytics.dashboard.site_access import SCOPES
from analytics.dashboard.unknown_sites import unknown_sites
from analytics.errors import Conflict, Malformed

_WORDS: Final = {
    BreakerState.CLOSED: "Answers",
    BreakerState.HALF_OPEN: "Being tried",
    BreakerState.OPEN: "Left alone",
}
_NAMES: Final = {
    "kafka": "Kafka",
    "ignite": "Ignite",
    "cassandra": "Cassandra",
    "spark": "Spark job",
    "geo": "Geo database",
    "registry": "List of replicas",
}
_NOT_MADE: Final = (CallOutcome.REFUSED, CallOutcome.CROWDED_OUT)


@dataclass(frozen=True)
class Backend:
    """The circuit breaker of one backend, as the page shows it."""

    name: str
    state: str
    good: bool
    """Whether calls are made as usual."""
    for_s: float
    """Seconds since the state changed."""
    meanwhile: str
    """The consequence of a failure of the backend, in a sentence."""
    fault: str
    """The last error."""
    calls: int
    failed: int
    slow: int
    not_made: int
    """Calls that the breaker refused, or that found too many under way."""


def routes(deps: DashboardContext) -> list[BaseRoute]:
    """Return the page's routes, which belong to the admin module."""
    return [
        Route(server_access.PAGE, endpoint(deps, show), methods=["GET"]),
        Route(server_access.PAGE, endpoint(deps, change), methods=["POST"]),
        Route(f"{server_access.PAGE}/confirm", endpoint(deps, confirm), methods=["GET"]),
    ]


async def show(ask: PageRequest) -> Response:
    """Show the page. Raise `Forbidden` for anybody but an owner."""
    ask.owner()
    return await _page(ask)


async def change(ask: PageRequest) -> Response:
    """Carry out the form that was posted, and show what was wrong with it, if anything."""
    ask.owner()
    form = await ask.posted()
    try:
        return await server_access.change(ask, form)
    except (Malformed, Conflict) as error:
        return await _page(ask, error=error, form=str(form.get("form", "")))


async def confirm(ask: PageRequest) -> Response:
    """Show the confirmation of a change that cannot be undone."""
    ask.owner()
    params = ask.request.query_params
    question = await server_access.question(ask, {key: params[key] for key in params})
    return confirmation.show(ask, question)


async def _page(
    ask: PageRequest, *, error: Malformed | Conflict | None = None, form: str = ""
) -> Response:
    lines = ask.deps.table()
    problem = ""
    if error is not None:
        problem = error.reason if isinstance(error, Malformed) else str(error)
    return ask.page(
        "admin.html",
        status=200 if error is None else error.status,
        problem=problem,
        form_name=form,
        people=await ask.deps.catalog.people.all(),
        keys=await ask.deps.catalog.keys.all(),
        key_uses=await ask.deps.catalog.keys.last_used(),
        scopes=SCOPES,
        audit=await audit_list.read(ask),
        unknown=await unknown_sites(ask.deps),
        version=__version__,
        replicas=await replica_list.read(ask.deps),
        backends=[described(breaker) for breaker in ask.deps.breakers],
        failing=[loop for loop in ask.deps.loops if loop.error is not None],
        modules=by_module(lines),
    )


def described(breaker: Breaker) -> Backend:
    """Return the state and the call counts of *breaker* in words."""
    count = breaker.outcomes
    return Backend(
        name=_NAMES.get(breaker.backend, breaker.backend),
        state=_WORDS[breaker.state],
        good=breaker.state is BreakerState.CLOSED,
        for_s=breaker.age_s(),
        meanwhile=breaker.degraded,
        fault=breaker.fault,
        calls=count[CallOutcome.SUCCEEDED] + count[CallOutcome.SLOW] + count[CallOutcome.FAILED],
        failed=count[CallOutcome.FAILED],
        slow=count[CallOutcome.SLOW],
        not_made=sum(count[outcome] for outcome in _NOT_MADE),
    )


def by_module(lines: Sequence[RouteDescription]) -> list[tuple[str, bool, list[RouteDescription]]]:
    """Return for each module its name, whether this server serves it, and its routes."""
    return [
        (name, served, [*group])
        for (name, served), group in groupby(lines, lambda line: (line.module, line.served))
    ]
