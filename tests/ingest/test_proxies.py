"""A proxy that is not set up gives itself away, and nobody else is taken for one."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from analytics.ingest.client import TrustedProxies
from analytics.ingest.proxies import NOT_NAMED, UnknownProxies, unknown_proxy

TRUST = TrustedProxies(["127.0.0.0/8", "::1/128"])


def request(peer: str | None = "127.0.0.1", version: str = "1.1", **headers: str) -> Scope:
    named = {"host": "127.0.0.1:8000", **headers}
    return {
        "type": "http",
        "client": None if peer is None else (peer, 50_000),
        "http_version": version,
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in named.items()],
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "stats.example.org"},
        {"host": "stats.example.org:8443"},
        {"host": "8.8.8.8"},
        {"x_forwarded_proto": "https"},
        {"x_real_ip": "203.0.113.7"},
        {"x_forwarded_host": "stats.example.org"},
        {"forwarded": "for=unknown"},
        {"via": "1.1 cache"},
        {"cf_connecting_ip": "203.0.113.7"},
        {"sec_fetch_site": "same-origin", "origin": "https://stats.example.org"},
        {"sec_fetch_site": "same-origin", "referer": "https://stats.example.org/setup"},
    ],
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "172.17.0.1", "fd00::1", None])
def test_a_proxy_that_keeps_addresses_to_itself_is_noticed(
    peer: str | None, headers: dict[str, str]
) -> None:
    advice = unknown_proxy(request(peer, **headers), TRUST)
    assert advice is not None
    assert "Let it set X-Forwarded-For" in advice
    assert not any(value in advice for value in headers.values() if value != "https")


def test_nginx_without_a_line_of_configuration_is_noticed() -> None:
    """It asks by HTTP/1.0, under the name of its upstream, and says nothing of its visitor."""
    plain = request(version="1.0", connection="close", sec_fetch_site="none")
    assert unknown_proxy(plain, TRUST) is not None


def test_a_proxy_that_says_who_the_visitor_is_by_another_header_keeps_nothing_to_itself() -> None:
    trust = TrustedProxies(["127.0.0.0/8"], ["CF-Connecting-IP"])
    by_cloudflare = request(cf_connecting_ip="203.0.113.7", host="stats.example.org")
    assert unknown_proxy(by_cloudflare, trust) is None
    assert unknown_proxy(by_cloudflare, TRUST) is not None
    by_standard = request(forwarded="for=203.0.113.7;proto=https", host="stats.example.org")
    assert unknown_proxy(by_standard, TRUST) is None
    assert unknown_proxy(request(forwarded="for=unknown", via="x"), TRUST) is not None


def test_a_proxy_that_is_not_believed_is_noticed() -> None:
    named = request("10.0.0.2", x_forwarded_for="203.0.113.7", host="stats.example.org")
    assert unknown_proxy(named, TRUST) == NOT_NAMED
    assert unknown_proxy(named, TrustedProxies(["10.0.0.0/8"])) is None


@pytest.mark.parametrize(
    "scope",
    [
        request(),
        request("::1", host="localhost:8000", sec_fetch_site="none"),
        request(host="[::1]:8000"),
        request(host="stats.lan"),
        request("192.168.0.7", host="192.168.0.2:8000"),
        request(sec_fetch_site="same-origin", origin="http://127.0.0.1:8000"),
        request(sec_fetch_site="same-origin", referer="http://127.0.0.1:8000/login"),
        request(sec_fetch_site="cross-site", origin="https://example.org"),
        request(x_forwarded_for="203.0.113.7", x_forwarded_proto="https", host="stats.example.org"),
        # Whoever comes straight from the Internet may write what they like.
        request("203.0.113.7", host="stats.example.org", x_real_ip="1.1.1.1", via="x"),
        request("203.0.113.7", x_forwarded_for="1.1.1.1"),
        request(version="1.0"),
        request(host=""),
        request(host="["),
        request(sec_fetch_site="same-origin", origin="http://["),
    ],
)
def test_nobody_else_is_taken_for_a_proxy(scope: Scope) -> None:
    assert unknown_proxy(scope, TRUST) is None


def test_each_sign_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    proxies = UnknownProxies(TRUST)
    for number in range(20):
        proxies.notice(request(x_real_ip=f"203.0.113.{number}"))
        proxies.notice(request(host=f"s{number}.example.org"))
        proxies.notice(request())
    assert len(proxies.seen) == 2
    assert capsys.readouterr().out.count("proxy_not_set_up") == 2
