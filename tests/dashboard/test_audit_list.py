"""The owner reads who did what; nobody else does."""

from __future__ import annotations

from collections.abc import Callable

from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD, VIEWER

from analytics.catalog.audit_log import AuditAction, AuditEntry
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard.audit_list import _WORDS, line
from analytics.testing.builders import SITE


async def test_what_is_done_on_pages_is_shown_with_who_did_it(
    owner: Client, viewer: Client, peopled: SqliteCatalog
) -> None:
    await owner.post("/sites/new", data={"domain": "new.example", "timezone": "Etc/UTC"})
    await owner.post(f"/{SITE}/settings", data={"form": "privacy", "cookieless": "1"})
    person = {"form": "person", "email": "ann@shop.example", "password": PASSWORD}
    await owner.post(f"/{SITE}/settings", data=person)
    await owner.post("/admin", data={"form": "key", "label": "Nightly", "scope": "stats:read"})
    await owner.post("/admin", data={"form": "role", "email": VIEWER, "role": "owner"})
    entries = await peopled.audit_log.recent(5)
    assert [(entry.what.value, entry.who, entry.site) for entry in reversed(entries)] == [
        ("site-added", OWNER, "new.example"),
        ("site-changed", OWNER, SITE),
        ("person-added", OWNER, ""),
        ("key-created", OWNER, ""),
        ("person-changed", OWNER, ""),
    ]
    page = await owner.get("/admin")
    assert "Created a key" in page.text
    assert "Nightly, stats:read" in page.text


async def test_a_login_and_a_refused_one_are_shown(
    owner: Client, connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    stranger = connect("203.0.113.77")
    for _ in range(3):
        await stranger.post("/login", data={"email": VIEWER, "password": "a wrong guess"})
    await stranger.post("/login", data={"email": VIEWER, "password": PASSWORD})
    text = (await owner.get("/admin")).text
    assert f"Failed to log in, 3 times</b><small>a stranger · {VIEWER}" in text
    assert f"Logged in</b><small>{VIEWER}" in text
    assert "203.0.113.77" not in text
    assert "a wrong guess" not in text


async def test_the_setup_link_is_named(stranger: Client, catalog: SqliteCatalog) -> None:
    form = {"token": "one-time", "email": OWNER, "password": PASSWORD, "again": PASSWORD}
    await stranger.post("/setup", data=form)
    logged_in, added = await catalog.audit_log.recent(9)
    assert (added.who, added.what) == ("the setup link", AuditAction.PERSON_ADDED)
    assert (logged_in.who, logged_in.what) == (OWNER, AuditAction.LOGGED_IN)


async def test_it_is_read_page_by_page(owner: Client, peopled: SqliteCatalog) -> None:
    for number in range(60):
        await peopled.audit_log.record(AuditAction.BACKUP_MADE, about=f"number {number}.")
    first = (await owner.get("/admin")).text
    assert "number 59." in first
    assert "number 34." not in first
    (newest, *_) = await peopled.audit_log.recent(1)
    older = f"/admin?before={newest.id - 24}#log"
    assert f'href="{older}"' in first
    second = (await owner.get(older)).text
    assert "number 34." in second
    assert "number 35." not in second
    assert (await owner.get("/admin?before=nonsense")).status_code == 200
    assert (await owner.get(f"/admin?before={10**30}")).status_code == 200


async def test_nobody_but_an_owner_reads_it(viewer: Client, stranger: Client) -> None:
    assert (await viewer.get("/admin?before=9")).status_code == 403
    assert (await stranger.get("/admin?before=9")).headers["location"].startswith("/login")


def test_every_deed_has_words() -> None:
    assert set(_WORDS) == set(AuditAction)
    entry = AuditEntry(id=1, at=0, who="a", what=AuditAction.LOGIN_REFUSED, times=1200)
    assert line(entry).what == "Failed to log in, 1,200 times"
