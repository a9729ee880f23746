"""`/metrics`: what the process counts, in Prometheus' text format.

Every figure is declared here, with its help text; they are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from analytics import __version__
from analytics.errors import NotFound
from analytics.ingest.client import Trust
from analytics.ingest.counts import Counts

Sources = Mapping[str, tuple[str, Callable[[], float]]]
"""By the name of a gauge: its help text, and where its value is read."""


class Gauges(Collector):
    """Reads the program's own figures."""

    def __init__(self, counts: Counts, gauges: Sources) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """The figures as they are now."""
        accepted = CounterMetricFamily(
            "analytics_requests_accepted", "Events that were answered with 2xx: they are durable."
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
        info = GaugeMetricFamily("analytics_info", "The version that runs.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info


def routes(counts: Counts, gauges: Sources, trust: Trust) -> list[BaseRoute]:
    """The route; it answers addresses of this machine and of private networks only."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(Gauges(counts, gauges))

    async def show(request: Request) -> Response:
        address = ip_address(trust.client(request.scope).address)
        if not (address.is_loopback or address.is_private):
            raise NotFound("metrics are shown to this machine and to private networks only")
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", show)]
