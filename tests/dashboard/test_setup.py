"""The first run: whoever holds the printed link, and nobody else, becomes the owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD

from analytics.dashboard.ask import COOKIE
from analytics.store.catalog.sqlite import SqliteCatalog

FORM = {"token": "one-time", "email": OWNER, "password": PASSWORD, "again": PASSWORD}


async def test_a_browser_on_this_machine_is_led_to_the_setup_page(stranger: Client) -> None:
    answer = await stranger.get("/")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/setup?token=one-time"


async def test_nobody_else_learns_the_token(connect: Callable[..., Client]) -> None:
    from_afar = await connect("203.0.113.7").get("/")
    through_a_proxy = await connect().get("/", headers={"x-forwarded-for": "203.0.113.7"})
    by_a_rebound_name = await connect(base="http://evil.example").get("/")
    for answer in (from_afar, through_a_proxy, by_a_rebound_name):
        assert answer.status_code == 200
        assert "one-time" not in answer.text
        assert "Open the link that it printed" in answer.text


async def test_the_owner_comes_in_and_goes_on_to_the_first_site(
    stranger: Client, catalog: SqliteCatalog
) -> None:
    answer = await stranger.post("/setup", data=FORM)
    assert answer.headers["location"] == "/sites/new"
    assert [(person.email, person.owner) for person in await catalog.people.all()] == [
        (OWNER, True)
    ]
    added = await stranger.post(
        "/sites/new", data={"domain": "shop.example", "timezone": "Asia/Tehran"}
    )
    assert added.headers["location"] == "/shop.example/start"
    page = await stranger.get("/shop.example/start")
    assert (
        "data-domain=&#34;shop.example&#34; src=&#34;http://localhost/tracker.js&#34;" in page.text
    )
    assert "Waiting for the first pageview" in page.text


async def test_a_wrong_token_creates_nobody(stranger: Client, catalog: SqliteCatalog) -> None:
    for token in ("", "one-tim", "one-time2", "é"):
        answer = await stranger.post("/setup", data={**FORM, "token": token})
        assert answer.status_code == 403
    assert not await catalog.people.all()


async def test_tokens_cannot_be_guessed_by_the_thousand(stranger: Client) -> None:
    seen = {(await stranger.get(f"/setup?token={n}")).status_code for n in range(15)}
    assert seen == {403, 429}


async def test_a_mistake_is_explained_and_the_email_kept(stranger: Client) -> None:
    short = await stranger.post("/setup", data={**FORM, "password": "short", "again": "short"})
    differ = await stranger.post("/setup", data={**FORM, "again": "another one"})
    assert "at least 8 characters" in short.text
    assert "The two passwords differ" in differ.text
    assert f'value="{OWNER}"' in differ.text
    assert short.status_code == differ.status_code == 400


async def test_two_owners_at_once_are_one(stranger: Client, catalog: SqliteCatalog) -> None:
    forms = [{**FORM, "email": f"owner{n}@shop.example"} for n in range(3)]
    await asyncio.gather(*(stranger.post("/setup", data=form) for form in forms))
    assert len(await catalog.people.all()) == 1


async def test_the_page_is_gone_once_somebody_has_an_account(
    stranger: Client, peopled: SqliteCatalog
) -> None:
    assert (await stranger.get("/setup?token=one-time")).headers["location"] == "/login"
    answer = await stranger.post("/setup", data={**FORM, "email": "second@shop.example"})
    assert answer.headers["location"] == "/login"
    assert COOKIE not in answer.cookies
    assert len(await peopled.people.all()) == 2
