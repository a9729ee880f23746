"""What the server sees of the one who asks, to check the proxies in front of it."""

from __future__ import annotations

from starlette.types import Scope
from tests.ingest.world import FIREFOX, Ingesting

from analytics.ingest.client import TrustedProxies
from analytics.ingest.geolocation import CountryPlaces
from analytics.ingest.whoami import WhoamiEndpoint


async def test_the_address_is_shown_and_what_the_browser_is(world: Ingesting) -> None:
    answer = await world.ask(
        "GET", "/api/whoami", x_forwarded_for="8.8.8.8, 127.0.0.2", user_agent=FIREFOX
    )
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == {
        "message": "8.8.8.8 is the address I see",
        "address": "8.8.8.8",
        "warning": None,
        "country": "US",
        "region": None,
        "city": None,
        "browser": "Firefox",
        "os": "Linux",
        "device": "Desktop",
        "bot": None,
    }


async def test_pages_of_other_origins_cannot_read_it(world: Ingesting) -> None:
    answer = await world.ask("GET", "/api/whoami", origin="https://evil.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "cross-origin-resource-policy" not in answer.headers
    assert (await world.ask("OPTIONS", "/api/whoami")).status == 405


async def test_a_strangers_word_is_not_believed(world: Ingesting) -> None:
    seen = (await world.ask("GET", "/api/whoami", peer="8.8.4.4", x_forwarded_for="1.2.3.4")).json
    assert (seen["address"], seen["bot"], seen["warning"]) == ("8.8.4.4", "no-user-agent", None)


async def test_it_explains_why_all_visitors_look_like_one(world: Ingesting) -> None:
    hidden = (await world.ask("GET", "/api/whoami", host="stats.example.org")).json
    assert "Let it set X-Forwarded-For" in hidden["warning"]
    unnamed = await world.ask("GET", "/api/whoami", peer="10.0.0.2", x_forwarded_for="8.8.8.8")
    assert "Name the proxy's address in ingest.trusted_proxies" in unnamed.json["warning"]
    assert unnamed.json["address"] == "10.0.0.2"


async def test_who_comes_by_a_socket_has_no_peer(world: Ingesting) -> None:
    seen = (await world.ask("GET", "/api/whoami", peer=None)).json
    assert (seen["address"], seen["country"]) == ("127.0.0.1", None)


async def test_how_the_network_looks_inside_is_for_the_owner(world: Ingesting) -> None:
    async def by_owner(_: Scope) -> bool:
        return True

    endpoint = WhoamiEndpoint(
        trust=TrustedProxies(["127.0.0.0/8"]), places=CountryPlaces(), by_owner=by_owner
    )
    headers = {"x_forwarded_for": "ü<script>\x7f"}
    seen = (await world.ask("GET", "/api/whoami", application=endpoint, **headers)).json
    assert (seen["peer"], seen["forwarded_for_believed"]) == ("127.0.0.1", True)
    assert seen["forwarded_for"] == "ü<script>\x7f"
    for_anybody = (await world.ask("GET", "/api/whoami", **headers)).json
    assert not {"peer", "forwarded_for", "forwarded_for_believed"} & set(for_anybody)
