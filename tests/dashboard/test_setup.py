"""The first run: whoever holds the printed link, and nobody else, becomes the owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import product

from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard.session import COOKIE

FORM = {"token": "one-time", "email": OWNER, "password": PASSWORD, "again": PASSWORD}


NEAR = ("127.0.0.1", "::1", "10.0.0.2", "203.0.113.7")
NAMES = ("http://localhost", "http://127.0.0.1:8000", "http://stats.example.com", "https://[::1]")
HEADERS: tuple[dict[str, str], ...] = ({}, {"x-forwarded-for": "127.0.0.1"}, {"origin": "null"})


async def test_nobody_learns_the_token_by_asking(connect: Callable[..., Client]) -> None:
    for host, base, headers in product(NEAR, NAMES, HEADERS):
        client = connect(host, base=base)
        for path in ("/", "/setup", "/setup?token=", "/login", "/account", "/admin",
                     "/shop.example", "/shop.example/start"):  # fmt: skip
            answer = await client.get(path, headers=headers)
            assert "one-time" not in answer.text, (host, base, path)
            assert "one-time" not in str(answer.headers), (host, base, path)


async def test_who_has_no_link_is_told_where_it_is(stranger: Client) -> None:
    for path in ("/", "/setup"):
        answer = await stranger.get(path)
        assert answer.status_code == 200
        assert "Nobody has an account yet" in answer.text
        assert "analytics user add you@example.com --owner" in answer.text
    wrong = await stranger.get("/setup?token=guess")
    assert wrong.status_code == 403
    assert "This setup link is not valid" in wrong.text
    assert "analytics user add you@example.com --owner" in wrong.text


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
    assert "10 to 256 characters" in short.text
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
