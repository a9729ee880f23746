"""The address at which browsers reach the server: cookies, the snippet, the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import DashboardContext
from analytics.dashboard.session import COOKIE, SECURE_COOKIE
from analytics.testing.builders import SITE

FORM = {"email": OWNER, "password": PASSWORD}


@pytest.fixture
def deps(deps: DashboardContext) -> DashboardContext:
    return replace(deps, public_url="https://stats.example.com")


async def test_the_session_is_in_a_cookie_that_no_other_host_can_set(
    connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    # The proxy in front asks by http, and says nothing.
    client = connect(base="http://127.0.0.1:8000")
    answer = await client.post("/login", data=FORM)
    (cookie,) = [each for each in answer.headers.get_list("set-cookie") if COOKIE in each]
    name, _, attributes = cookie.partition("=")
    assert name == SECURE_COOKIE
    assert {"Secure", "HttpOnly", "Path=/"} <= set(attributes.split("; "))
    assert "Domain" not in attributes
    token = answer.cookies[SECURE_COOKIE]
    mine = {"cookie": f"{SECURE_COOKIE}={token}"}
    assert (await connect().get("/admin", headers=mine)).status_code == 200
    planted = {"cookie": f"{COOKIE}={token}"}
    assert (await connect().get("/admin", headers=planted)).status_code == 303
    left = await connect().post("/logout", headers=mine)
    assert f'{SECURE_COOKIE}=""' in left.headers["set-cookie"]
    assert "Secure" in left.headers["set-cookie"]
    assert (await connect().get("/admin", headers=mine)).status_code == 303


async def test_the_snippet_names_it(connect: Callable[..., Client], peopled: SqliteCatalog) -> None:
    token = await peopled.people.log_in(OWNER, PASSWORD)
    client = connect(base="http://made-up.example")
    headers = {"cookie": f"{SECURE_COOKIE}={token}"}
    page = (await client.get(f"/{SITE}/start", headers=headers)).text
    assert "https://stats.example.com/tracker.js" in page
    assert "made-up.example" not in page
