"""The page of the server itself: its people and keys, what it depends on, what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from analytics import __version__
from analytics.breaker import Breaker, Outcome, State
from analytics.dashboard import audit_list, confirmation, replica_list, server_access
from analytics.dashboard.ask import Ask, endpoint
from analytics.dashboard.deps import Dashboard, RouteLine
from analytics.dashboard.site_access import SCOPES
from analytics.dashboard.unknown_sites import unknown_sites
from analytics.errors import Conflict, Malformed

_WORDS: Final = {
    State.CLOSED: "Answers",
    State.HALF_OPEN: "Being tried",
    State.OPEN: "Left alone",
}
_NAMES: Final = {
    "kafka": "Kafka",
    "ignite": "Ignite",
    "cassandra": "Cassandra",
    "spark": "Spark job",
    "geo": "Geo database",
    "registry": "List of replicas",
}
_NOT_MADE: Final = (Outcome.REFUSED, Outcome.CROWDED_OUT)


@dataclass(frozen=True)
class Backend:
    """One breaker, in words."""

    name: str
    state: str
    good: bool
    for_s: float
    """For how long it has been so."""
    meanwhile: str
    fault: str
    calls: int
    failed: int
    slow: int
    not_made: int


def routes(deps: Dashboard) -> list[BaseRoute]:
    """The page, as routes of the admin module."""
    return [
        Route(server_access.PAGE, endpoint(deps, show), methods=["GET"]),
        Route(server_access.PAGE, endpoint(deps, change), methods=["POST"]),
        Route(f"{server_access.PAGE}/confirm", endpoint(deps, confirm), methods=["GET"]),
    ]


async def show(ask: Ask) -> Response:
    """For the owner only."""
    ask.owner()
    return await _page(ask)


async def change(ask: Ask) -> Response:
    """Do what one of the page's forms asks for."""
    ask.owner()
    form = await ask.posted()
    try:
        return await server_access.change(ask, form)
    except (Malformed, Conflict) as error:
        return await _page(ask, error=error, form=str(form.get("form", "")))


async def confirm(ask: Ask) -> Response:
    """The question before one of the changes that cannot be undone."""
    ask.owner()
    asked = ask.request.query_params
    question = await server_access.question(ask, {key: asked[key] for key in asked})
    return confirmation.show(ask, question)


async def _page(ask: Ask, *, error: Malformed | Conflict | None = None, form: str = "") -> Response:
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
        audit=await audit_list.asked(ask),
        unknown=await unknown_sites(ask.deps),
        version=__version__,
        replicas=await replica_list.asked(ask.deps),
        backends=[described(breaker) for breaker in ask.deps.breakers],
        failing=[loop for loop in ask.deps.loops if loop.error is not None],
        modules=by_module(lines),
    )


def described(breaker: Breaker) -> Backend:
    """What *breaker* has seen, for people."""
    count = breaker.outcomes
    return Backend(
        name=_NAMES.get(breaker.backend, breaker.backend),
        state=_WORDS[breaker.state],
        good=breaker.state is State.CLOSED,
        for_s=breaker.age_s(),
        meanwhile=breaker.degraded,
        fault=breaker.fault,
        calls=count[Outcome.SUCCEEDED] + count[Outcome.SLOW] + count[Outcome.FAILED],
        failed=count[Outcome.FAILED],
        slow=count[Outcome.SLOW],
        not_made=sum(count[outcome] for outcome in _NOT_MADE),
    )


def by_module(lines: Sequence[RouteLine]) -> list[tuple[str, bool, list[RouteLine]]]:
    """Each module's name, whether this server answers for it, and its paths."""
    found = []
    for (name, served), group in groupby(lines, lambda line: (line.module, line.served)):
        found.append((name, served, [*group]))
    return found
