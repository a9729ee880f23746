"""Serves `/metrics` in Prometheus' text format.

Every metric is declared here, with its help text, and read when it is scraped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from analytics import __version__
from analytics.api_operation import ApiAnswer, ApiOperation, ApiRoute
from analytics.background import LoopState
from analytics.breaker import Breaker, BreakerState, CallOutcome
from analytics.errors import NotFound
from analytics.ingest.addresses import peer_address
from analytics.ingest.forwarding import is_direct
from analytics.ingest.request_counts import RequestCounts

OPERATION: Final = ApiOperation(
    summary="What the process counts",
    group="Server",
    answers=(ApiAnswer("The figures in Prometheus' text format.", {"text/plain": str}),),
    errors=(NotFound,),
)
Sources = Mapping[str, tuple[str, Callable[[], float]]]
"""Maps the name of a gauge to its help text and to the function that reads it."""

_STATES: Final = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


class Gauges(Collector):
    """Reads the program's own figures."""

    def __init__(self, counts: RequestCounts, gauges: Sources) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """The figures as they are now."""
        accepted = CounterMetricFamily(
            "analytics_requests_accepted", "Events answered with 2xx, which are durable."
        )
        accepted.add_metric([], self._counts.accepted)
        yield accepted
        refused = CounterMetricFamily(
            "analytics_requests_refused",
            "Events that were refused, by error code.",
            labels=["code"],
        )
        for code, count in self._counts.refusals.items():
            refused.add_metric([code], count)
        yield refused
        for name, (help_, read) in self._gauges.items():
            yield GaugeMetricFamily(name, help_, value=read())
        info = GaugeMetricFamily("analytics_info", "The running version.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info


class Breakers(Collector):
    """Reads the state and the counts of breakers."""

    def __init__(self, breakers: Sequence[Breaker]) -> None:
        self._breakers = breakers

    def collect(self) -> Iterable[Metric]:
        """The figures as they are now."""
        state = GaugeMetricFamily(
            "analytics_breaker_state",
            "Whether a backend is left alone: 0 closed (it is not), 1 half-open, 2 open.",
            labels=["backend"],
        )
        opened = CounterMetricFamily(
            "analytics_breaker_opened", "Times that a breaker has opened.", labels=["backend"]
        )
        calls = CounterMetricFamily(
            "analytics_breaker_calls",
            "Calls of a backend, by how they ended or why they were not made.",
            labels=["backend", "outcome"],
        )
        for breaker in self._breakers:
            state.add_metric([breaker.backend], _STATES[breaker.state])
            opened.add_metric([breaker.backend], breaker.opened)
            for outcome in CallOutcome:
                calls.add_metric([breaker.backend, outcome], breaker.outcomes[outcome])
        yield from (state, opened, calls)


class Loops(Collector):
    """Reads the state and the counts of background loops."""

    def __init__(self, loops: Sequence[LoopState]) -> None:
        self._loops = loops

    def collect(self) -> Iterable[Metric]:
        """The figures as they are now."""
        steps = CounterMetricFamily(
            "analytics_background_steps",
            "Steps of a background loop that succeeded.",
            labels=["loop"],
        )
        failures = CounterMetricFamily(
            "analytics_background_failures",
            "Steps of a background loop that failed; each was tried again.",
            labels=["loop"],
        )
        in_a_row = GaugeMetricFamily(
            "analytics_background_failures_in_a_row",
            "Failures of a background loop since its last success.",
            labels=["loop"],
        )
        last_success = GaugeMetricFamily(
            "analytics_background_last_success_timestamp_seconds",
            "Time at which a background loop last succeeded; 0 before the first time.",
            labels=["loop"],
        )
        for loop in self._loops:
            steps.add_metric([loop.name], loop.successes)
            failures.add_metric([loop.name], loop.failures)
            in_a_row.add_metric([loop.name], loop.failures_in_a_row)
            last_success.add_metric([loop.name], loop.last_success_at or 0)
        yield from (steps, failures, in_a_row, last_success)


def check_near(scope: Scope) -> None:
    """Raise `NotFound` unless the request comes directly from this machine or a private network."""
    address = ip_address(peer_address(scope))
    near = address.is_loopback or address.is_private
    if not (near and is_direct(scope)):
        raise NotFound(
            "metrics are shown to this machine and to private networks only, without a proxy: ask"
            " by the machine's own address or a private name"
        )


def routes(
    counts: RequestCounts,
    gauges: Sources,
    breakers: Sequence[Breaker],
    loops: Sequence[LoopState] = (),
) -> list[BaseRoute]:
    """Return the route, which serves peers on this machine and in private networks only.

    Headers about the sender are not trusted, and requests through a proxy are refused.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(Gauges(counts, gauges))
    registry.register(Breakers(breakers))
    registry.register(Loops(loops))

    async def show(request: Request) -> Response:
        check_near(request.scope)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [ApiRoute("GET", "/metrics", show, OPERATION)]
