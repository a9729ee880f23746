"""What the server sees of the one who asks, to check the proxies in front of it."""

from __future__ import annotations

from tests.ingest.world import FIREFOX, Ingesting


async def test_the_address_is_shown_and_by_whom_it_came(world: Ingesting) -> None:
    answer = await world.ask(
        "GET", "/api/whoami", x_forwarded_for="8.8.8.8, 127.0.0.2", user_agent=FIREFOX
    )
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == {
        "message": "8.8.8.8 is the address I see",
        "address": "8.8.8.8",
        "peer": "127.0.0.1",
        "forwarded_for": "8.8.8.8, 127.0.0.2",
        "forwarded_for_believed": True,
        "country": "US",
        "region": None,
        "city": None,
        "browser": "Firefox",
        "os": "Linux",
        "device": "Desktop",
        "bot": None,
    }


async def test_a_strangers_word_is_shown_and_not_believed(world: Ingesting) -> None:
    seen = (await world.ask("GET", "/api/whoami", peer="8.8.4.4", x_forwarded_for="1.2.3.4")).json
    assert (seen["address"], seen["forwarded_for_believed"]) == ("8.8.4.4", False)
    assert (seen["forwarded_for"], seen["bot"]) == ("1.2.3.4", "no-user-agent")


async def test_who_comes_by_a_socket_has_no_peer(world: Ingesting) -> None:
    seen = (await world.ask("GET", "/api/whoami", peer=None)).json
    assert (seen["address"], seen["peer"], seen["forwarded_for_believed"]) == (
        "127.0.0.1",
        None,
        False,
    )
    assert seen["country"] is None


async def test_a_header_of_strange_bytes_is_shown_as_it_came(world: Ingesting) -> None:
    seen = (await world.ask("GET", "/api/whoami", x_forwarded_for="ü<script>\x7f")).json
    assert seen["forwarded_for"] == "ü<script>\x7f"
    assert seen["address"] == "127.0.0.1"
