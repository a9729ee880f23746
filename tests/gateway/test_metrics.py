"""What the process counts, for those who are near."""

from __future__ import annotations

from collections.abc import Sequence

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from analytics import __version__
from analytics.breaker import Breaker, BreakerState
from analytics.errors import Forbidden, Malformed
from analytics.gateway import metrics
from analytics.gateway.gate import Gate
from analytics.ingest.request_counts import RequestCounts
from analytics.module import Module


async def asked(
    counts: RequestCounts,
    gauges: metrics.Sources,
    peer: str,
    breakers: Sequence[Breaker] = (),
    **headers: str,
) -> httpx2.Response:
    routes = metrics.routes(counts, gauges, breakers)
    gate = Gate([Module(name="gateway", routes=routes)], ["gateway"])
    transport = httpx2.ASGITransport(gate, client=(peer, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://m.example") as client:
        return await client.get("/metrics", headers=headers)


async def test_every_figure_is_there_with_its_help() -> None:
    counts = RequestCounts()
    counts.accepted = 3
    counts.refused(Malformed("n", "no"))
    counts.refused(Malformed("n", "no"))
    counts.refused(Forbidden("no"))
    answer = await asked(counts, {"analytics_lag": ("How far behind.", lambda: 7)}, "127.0.0.1")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = {each.name: each for each in text_string_to_metric_families(answer.text)}
    assert all(each.documentation for each in families.values())
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for each in families.values()
        for sample in each.samples
    }
    assert values["analytics_requests_accepted_total",] == 3
    assert values["analytics_requests_refused_total", "malformed"] == 2
    assert values["analytics_requests_refused_total", "forbidden"] == 1
    assert values["analytics_lag",] == 7
    assert values["analytics_info", __version__] == 1


async def test_figures_are_read_when_they_are_asked_for() -> None:
    counts = RequestCounts()
    for counts.accepted in (1, 2):
        text = (await asked(counts, {}, "127.0.0.1")).text
        assert f"analytics_requests_accepted_total {counts.accepted}.0" in text


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("10.1.2.3", 200),
        ("192.168.0.9", 200),
        ("::1", 200),
        ("fd00::1", 200),
        ("::ffff:10.1.2.3", 200),
        ("8.8.8.8", 404),
        ("::ffff:8.8.8.8", 404),
        ("2a00:1450:4001:81b::200e", 404),
    ],
)
async def test_only_who_is_near_may_read_them(peer: str, status: int) -> None:
    assert (await asked(RequestCounts(), {}, peer)).status_code == status


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "8.8.8.8"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-forwarded-for", "8.8.8.8"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", "unknown"),
        ("x-real-ip", "10.0.0.7"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "localhost"),
        ("host", "stats.example.org"),
        ("host", "8.8.8.8:80"),
    ],
)
async def test_nobody_behind_a_proxy_may_read_them(peer: str, name: str, value: str) -> None:
    assert (await asked(RequestCounts(), {}, peer, (), **{name: value})).status_code == 404


async def test_breakers_show_their_state_and_how_calls_ended() -> None:
    away, there = Breaker("kafka", "spooled"), Breaker("ignite", "from copies")
    for breaker in (away, there):
        call = breaker.begin()
        assert call is not None
        call.succeeded()
    away.trip("it is gone")
    assert away.begin() is None
    text = (await asked(RequestCounts(), {}, "127.0.0.1", (away, there))).text
    for line in (
        'analytics_breaker_state{backend="kafka"} 2.0',
        'analytics_breaker_state{backend="ignite"} 0.0',
        'analytics_breaker_opened_total{backend="kafka"} 1.0',
        'analytics_breaker_opened_total{backend="ignite"} 0.0',
        'analytics_breaker_calls_total{backend="kafka",outcome="succeeded"} 1.0',
        'analytics_breaker_calls_total{backend="kafka",outcome="refused"} 1.0',
    ):
        assert line in text.splitlines()
    assert away.state is BreakerState.OPEN
