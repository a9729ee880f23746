"""Sessions are seen and ended: one, all others, somebody's, everybody's."""

from __future__ import annotations

from collections.abc import Callable

from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD, VIEWER

from analytics.catalog.sqlite import SqliteCatalog
from analytics.testing.builders import SITE


async def test_a_person_sees_where_they_are_logged_in_and_ends_one(
    viewer: Client, connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    phone = connect(token=await peopled.people.log_in(VIEWER, PASSWORD, browser="Safari on iOS"))
    page = (await viewer.get("/account")).text
    assert "Safari on iOS" in page
    assert page.count("This browser") == 1
    (other,) = [each for each in await peopled.people.sessions(VIEWER) if each.browser]
    ended = await viewer.post("/account", data={"form": "end-session", "session": other.id})
    assert ended.headers["location"] == "/account#sessions"
    assert "That session has ended" in (await viewer.get("/account")).text
    assert (await phone.get(f"/{SITE}")).headers["location"].startswith("/login")
    again = await viewer.post("/account", data={"form": "end-session", "session": other.id})
    assert again.status_code == 303


async def test_nobody_ends_the_session_of_another(
    viewer: Client, owner: Client, peopled: SqliteCatalog
) -> None:
    (owners,) = await peopled.people.sessions(OWNER)
    await viewer.post("/account", data={"form": "end-session", "session": owners.id})
    assert (await owner.get("/admin")).status_code == 200
    for form in ("end-sessions", "end-all-sessions"):
        refused = await viewer.post("/admin", data={"form": form, "email": OWNER})
        assert refused.status_code == 403


async def test_a_person_logs_out_everywhere_else(
    viewer: Client, connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    others = [connect(token=await peopled.people.log_in(VIEWER, PASSWORD)) for _ in range(2)]
    await viewer.post("/account", data={"form": "end-others"})
    assert (await viewer.get(f"/{SITE}")).status_code == 200
    for other in others:
        assert (await other.get(f"/{SITE}")).headers["location"].startswith("/login")


async def test_an_owner_logs_somebody_and_everybody_out(
    owner: Client, viewer: Client, peopled: SqliteCatalog, connect: Callable[..., Client]
) -> None:
    await owner.post("/admin", data={"form": "end-sessions", "email": VIEWER})
    assert "1 session ended" in (await owner.get("/admin")).text
    assert (await viewer.get(f"/{SITE}")).headers["location"].startswith("/login")
    others = [connect(token=await peopled.people.log_in(who, PASSWORD)) for who in (OWNER, VIEWER)]
    await owner.post("/admin", data={"form": "end-all-sessions"})
    assert "2 sessions ended" in (await owner.get("/admin")).text
    for other in others:
        assert (await other.get("/")).headers["location"].startswith("/login")


async def test_a_key_says_until_when_it_works_and_when_it_was_used(
    owner: Client, peopled: SqliteCatalog
) -> None:
    form = {"form": "key", "label": "Nightly", "scope": "stats:read", "expires": "30"}
    assert (await owner.post("/admin", data=form)).status_code == 303
    assert (await owner.post(f"/{SITE}/settings", data={**form, "expires": ""})).status_code == 303
    first, second = sorted(await peopled.keys.all(), key=lambda key: key.site or "")
    assert second.expires_at is None
    assert first.expires_at == first.created_at + 30 * 86_400_000
    text = (await owner.get("/admin")).text
    assert text.count("never used") == 2
    assert text.count(" · until ") == 1
    refused = await owner.post("/admin", data={**form, "expires": "-1"})
    assert refused.status_code == 400
