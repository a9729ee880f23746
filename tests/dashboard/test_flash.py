"""What a change says is shown once, on its page, to whoever made it."""

from __future__ import annotations

import base64
from collections.abc import Callable

from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard.flash import COOKIE
from analytics.testing.builders import SITE

URL = f"/{SITE}/settings"


async def test_a_message_waits_for_its_own_page(owner: Client) -> None:
    done = await owner.post(URL, data={"form": "privacy"})
    cookie = done.headers["set-cookie"]
    assert f"Path={URL}" in cookie
    for attribute in ("HttpOnly", "SameSite=strict", "Max-Age=60"):
        assert attribute in cookie
    assert "Saved." not in (await owner.get("/other.example/settings")).text
    assert "Saved." in (await owner.get(URL)).text
    assert "Saved." not in (await owner.get(URL)).text


async def test_nobody_else_can_make_a_page_say_something(
    owner: Client, connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    done = await owner.post(URL, data={"form": "privacy"})
    value = done.cookies[COOKIE]
    other = connect(token=await peopled.people.log_in(OWNER, PASSWORD))
    forged = base64.urlsafe_b64encode(bytes(32) + b'{"path":"/","text":"Call us"}').decode()
    for each in (value, forged, "nonsense", "é"[:0], base64.b64encode(b"short").decode()):
        other.cookies.set(COOKIE, each)
        page = (await other.get(URL)).text
        assert "Saved." not in page
        assert "Call us" not in page
