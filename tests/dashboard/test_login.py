"""Logging in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD

from analytics.catalog import password
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import device_cookie
from analytics.dashboard.login import local_path
from analytics.dashboard.session import COOKIE

FORM = {"email": OWNER, "password": PASSWORD, "next": "/shop.example?period=day"}


async def test_a_page_asks_to_log_in_and_comes_back(
    stranger: Client, peopled: SqliteCatalog
) -> None:
    asked = await stranger.get("/shop.example?period=day")
    assert asked.headers["location"] == "/login?next=%2Fshop.example%3Fperiod%3Dday"
    form = await stranger.get(asked.headers["location"])
    assert 'value="/shop.example?period=day"' in form.text
    entered = await stranger.post("/login", data=FORM)
    assert entered.headers["location"] == "/shop.example?period=day"
    assert (await stranger.get("/shop.example")).status_code == 200


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    plain = await connect().post("/login", data=FORM)
    secure = await connect(base="https://localhost").post("/login", data=FORM)
    cookie = plain.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert "secure" in secure.headers["set-cookie"].lower()
    behind_tls = await connect().post("/login", data=FORM, headers={"x-forwarded-proto": "https"})
    assert "secure" in behind_tls.headers["set-cookie"].lower()


async def test_a_wrong_password_and_an_unknown_email_read_the_same(
    stranger: Client, peopled: SqliteCatalog
) -> None:
    wrong = await stranger.post("/login", data={**FORM, "password": "not this one"})
    unknown = await stranger.post("/login", data={**FORM, "email": "nobody@shop.example"})
    assert wrong.status_code == unknown.status_code == 401
    problem = "The email or the password is wrong."
    assert problem in wrong.text
    assert problem in unknown.text


async def test_wrong_passwords_of_others_do_not_lock_an_account(
    connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    for number in range(11):
        guess = await connect(f"198.51.100.{number}").post(
            "/login", data={**FORM, "password": "guess"}
        )
        assert guess.status_code == 401
    entered = await connect("203.0.113.7").post("/login", data=FORM)
    assert (entered.status_code, COOKIE in entered.cookies) == (303, True)


async def test_one_sender_is_slowed_down(
    connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    client = connect("2001:db8::1")
    answers = [await client.post("/login", data={**FORM, "password": "guess"}) for _ in range(9)]
    neighbour = connect("2001:db8::2")
    answers += [await neighbour.post("/login", data={**FORM, "password": "no"}) for _ in range(2)]
    assert [a.status_code for a in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_device_that_logged_in_before_is_at_home_until_the_password_changes(
    connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    laptop = connect("203.0.113.7")
    cookie = (await laptop.post("/login", data=FORM)).cookies[device_cookie.NAME]
    key = await peopled.people.device_key(OWNER)
    assert key is not None
    assert device_cookie.read(cookie).belongs_to(key)
    changed = {"current": PASSWORD, "password": "quite another one", "again": "quite another one"}
    fresh = (await laptop.post("/account", data=changed)).cookies[device_cookie.NAME]
    key = await peopled.people.device_key(OWNER)
    assert key is not None
    assert not device_cookie.read(cookie).belongs_to(key)
    assert device_cookie.read(fresh).belongs_to(key)
    assert device_cookie.read(fresh).name == device_cookie.read(cookie).name


async def test_what_no_account_can_have_costs_no_hash(
    stranger: Client, peopled: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(password, "_verified", lambda *_: hashed.append("") or False)
    for email in ("a" * 244 + "@shop.example", "x" * 3000):
        answer = await stranger.post("/login", data={**FORM, "email": email})
        assert answer.status_code == 401
    large = await stranger.post("/login", data={**FORM, "email": "x" * 5000})
    assert large.status_code == 413
    assert hashed == []


async def test_a_long_way_back_does_not_keep_anybody_out(
    stranger: Client, peopled: SqliteCatalog
) -> None:
    asked = await stranger.get(f"/shop.example?f=is,page,{'/x' * 3000}")
    form = await stranger.get(asked.headers["location"])
    assert '<input type="hidden" name="next" value="/">' in form.text


async def test_logging_out_ends_the_session_for_every_copy_of_the_cookie(
    owner: Client, connect: Callable[..., Client]
) -> None:
    copy = connect(token=owner.cookies["analytics_session"])
    assert (await copy.get("/")).status_code == 200
    assert (await owner.post("/logout")).headers["location"] == "/login"
    assert (await copy.get("/")).headers["location"].startswith("/login")


async def test_another_sites_form_cannot_log_anybody_out(owner: Client) -> None:
    answer = await owner.post("/logout", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert (await owner.get("/")).status_code == 200


async def test_a_huge_form_is_refused_before_it_is_read(
    stranger: Client, peopled: SqliteCatalog
) -> None:
    huge = await stranger.post("/login", data={**FORM, "email": "x" * 300_000})
    assert huge.status_code == 413
    assert "This is too large" in huge.text


async def test_a_form_of_unknown_length_is_refused(
    stranger: Client, peopled: SqliteCatalog
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"email=x"
        raise AssertionError("the form was read")

    answer = await stranger.post("/login", content=endless())
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "text",
    ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/\t/evil.example"],
)
def test_a_link_cannot_lead_elsewhere_after_logging_in(text: str) -> None:
    assert local_path(text) == "/"
