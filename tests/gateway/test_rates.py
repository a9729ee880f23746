"""Requests are counted by address and by key, whoever they are for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.types import Scope

from analytics.catalog.sqlite import SqliteCatalog
from analytics.errors import TooMany
from analytics.gateway.rates import Rates
from analytics.ingest.client import TrustedProxies
from analytics.limiter import Limiter, Limits
from analytics.person import Scope as Right


@pytest.fixture
async def catalog() -> AsyncIterator[SqliteCatalog]:
    async with SqliteCatalog(":memory:") as catalog:
        yield catalog


def request(address: str, secret: str = "") -> Scope:
    headers = [(b"authorization", f"Bearer {secret}".encode())] if secret else []
    return {"type": "http", "client": (address, 1), "headers": headers}


def refused(rates: Rates, scope: Scope) -> str:
    """Why *scope* is refused; "" if it is not."""
    try:
        rates.check(scope)
    except TooMany as error:
        return str(error)
    return ""


async def test_an_address_and_a_known_key_have_limits_of_their_own(catalog: SqliteCatalog) -> None:
    _, secret = await catalog.keys.create(scopes=[Right.STATS_READ], site=None)
    limits = Limits(Limiter(0.001, 3), Limiter(0.001, 2))
    rates = Rates(TrustedProxies([]), catalog.keys, limits)
    assert [refused(rates, request("203.0.113.1", secret)) for _ in range(2)] == ["", ""]
    assert "with this key" in refused(rates, request("203.0.113.2", secret))
    assert refused(rates, request("203.0.113.1", "unknown")) == "", "it counts for the address"
    assert "from your address" in refused(rates, request("203.0.113.1"))
    assert refused(rates, request("203.0.113.3")) == ""
    assert {refused(rates, request("127.0.0.1", secret)) for _ in range(9)} == {""}


async def test_nobody_is_many_parties_by_what_only_the_sender_says(catalog: SqliteCatalog) -> None:
    _, secret = await catalog.keys.create(scopes=[Right.STATS_READ], site=None)
    rates = Rates(TrustedProxies([]), catalog.keys, Limits.of(0, 1, Limiter(0, 1)))
    made_up = [
        request("2001:db8::1"),
        request("2001:db8::2"),
        request("2001:db8::1", "made up"),
        {**request("2001:db8::1"), "headers": [(b"cookie", b"analytics_session=1")]},
        {**request("2001:db8::1"), "headers": [(b"cookie", b"analytics_session=2")]},
    ]
    assert len({rates.party(scope) for scope in made_up}) == 1
    assert rates.party(request("2001:db8::1", secret)) == rates.party(request("8.8.8.8", secret))
    assert rates.party(request("2001:db8::1", secret)) != rates.party(request("2001:db8::1"))
    assert rates.party(request("2001:db8::1")) != rates.party(request("2001:db8:0:1::1"))
