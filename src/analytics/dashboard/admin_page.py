"""The page of the server itself: what it depends on, how that is, and what it answers for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from analytics import __version__
from analytics.breaker import Breaker, Outcome, State
from analytics.dashboard import replica_list
from analytics.dashboard.ask import Ask, endpoint
from analytics.dashboard.deps import Dashboard, RouteLine

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
    """The page, as a route of the admin module."""
    return [Route("/admin", endpoint(deps, show), methods=["GET"])]


async def show(ask: Ask) -> Response:
    """For the owner only."""
    ask.owner()
    lines = ask.deps.table()
    return ask.page(
        "admin.html",
        version=__version__,
        replicas=await replica_list.asked(ask.deps),
        backends=[described(breaker) for breaker in ask.deps.breakers],
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
