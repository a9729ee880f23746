"""What a page does, the command does: the same steps by both leave the same behind."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette
from tests.imported import export

from analytics import dashboard
from analytics.admin import operations
from analytics.admin.operation_context import OperationContext
from analytics.catalog import goals, password, segments, shared_links
from analytics.dashboard import admin_page
from analytics.dashboard.session import COOKIE
from analytics.goal import Goal, Segment
from analytics.resources import Resources
from analytics.settings import load
from analytics.startup import open_resources
from analytics.testing import sample
from analytics.testing.builders import NOON, hit

OWNER, VIEWER, PASSWORD = "ada@x.example", "bob@x.example", "long enough"
A, B = "a.example", "b.example"
DAY = "2026-11-24"  # of NOON


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hash costs is the catalog's to test."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(password, "HASHER", cheap)


async def filled(folder: Path, stack: AsyncExitStack) -> Resources:
    """Two sites with an event each, an owner, a viewer of one site, and three keys."""
    settings = load(None, {"data": folder}, environment={})
    parts = await stack.enter_async_context(open_resources(settings))
    for domain in (A, B):
        await parts.catalog.sites.add(domain, timezone="Etc/UTC")
    await goals.add_goal(parts.catalog, A, Goal(id=0, name="", page="/join"))
    blog = Segment(id=0, name="Blog", filters='[["contains", "event:page", ["/blog"]]]')
    await segments.add_segment(parts.catalog, A, blog)
    await shared_links.add_link(parts.catalog, A, "press", now=NOON)
    await parts.catalog.people.add(OWNER, PASSWORD, owner=True)
    await parts.catalog.people.add(VIEWER, PASSWORD, owner=False, sites=(A,))
    await parts.catalog.people.log_in(VIEWER, PASSWORD)
    for site in (A, B, None):
        await parts.catalog.keys.create(scopes=["stats:read"], site=site, label=f"of {site}")
    past = {"visitors": [{"date": "2023-02-09", "visitors": 7, "pageviews": 9}]}
    await export.bring(parts.store, folder, A, past)
    await parts.store.write(sample.batch([hit(NOON, site=A), hit(NOON, site=B)]))
    return parts


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Resources, Resources]]:
    async with AsyncExitStack() as stack:
        yield await filled(tmp_path / "page", stack), await filled(tmp_path / "command", stack)


async def left(parts: Resources) -> dict[str, Any]:
    """Everything that an owner can change."""
    catalog = parts.catalog
    return {
        "sites": [
            (s.domain, s.timezone, s.retention_days, s.goals, s.segments, s.custom_properties)
            for s in catalog.sites.all()
        ],
        "links": [(k.id, k.name, k.embeddable) for k in catalog.sites.all()[0].shared_links],
        "people": [(p.email, p.owner, p.sites, p.must_change) for p in await catalog.people.all()],
        "sessions": len(await catalog.people.sessions(VIEWER)),
        "keys": sorted((k.label, k.site, k.scopes) for k in await catalog.keys.all() if k.site),
        "keys of all": [(k.label, k.scopes) for k in await catalog.keys.all() if not k.site],
        "imports": [each.id for each in await parts.store.imports(A)],
        "rows": [await parts.erases.count_rows(domain) for domain in (A, B)],
    }


async def by_page(parts: Resources, path: str, form: Mapping[str, str]) -> None:
    """Post *form*, and say yes when the page asks."""
    deps = dashboard.DashboardContext(
        catalog=parts.catalog, store=parts.store, erases=parts.erases, clock=lambda: NOON
    )
    app = Starlette(routes=[*admin_page.routes(deps), *dashboard.routes(deps)])
    token = await parts.catalog.people.log_in(OWNER, PASSWORD)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://localhost", cookies={COOKIE: token}
    ) as client:
        answer = await client.post(path, data=await named(parts, form))
        assert answer.status_code == 303, answer.text
        if "/confirm?" in answer.headers["location"]:
            page = (await client.get(answer.headers["location"])).text
            fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
            done = await client.post(path, data={name: unescape(text) for name, text in fields})
            assert done.status_code == 303, done.text


async def by_command(parts: Resources, operation: str, asked: Mapping[str, Any]) -> None:
    parameters = msgspec.json.encode(await named(parts, asked))
    await operations.perform(parts, operation, parameters, OperationContext())


async def named(parts: Resources, values: Mapping[str, Any]) -> dict[str, Any]:
    """*values* with the ids of keys for their labels."""
    ids = {f"key {key.label}": key.id for key in await parts.catalog.keys.all()}
    return {
        name: ids.get(value, value) if isinstance(value, str) else value
        for name, value in values.items()
    }


SETTINGS = f"/{A}/settings"
STEPS: dict[str, tuple[str, dict[str, str], str, dict[str, Any]]] = {
    "a site is added": (
        "/sites/new",
        {"domain": "https://www.C.example/", "timezone": "Asia/Tehran"},
        "site.add",
        {"domain": "https://www.C.example/", "timezone": "Asia/Tehran"},
    ),
    "a site is removed": (
        SETTINGS,
        {"form": "remove-site", "domain": A},
        "site.remove",
        {"site": A},
    ),
    "a site is removed with its events": (
        SETTINGS,
        {"form": "remove-site", "domain": A, "events": "delete"},
        "site.remove",
        {"site": A, "erase": True},
    ),
    "a retention is set": (
        SETTINGS,
        {"form": "retention", "days": "30"},
        "site.change",
        {"site": A, "retention_days": 30},
    ),
    "visits are erased by what they did": (
        SETTINGS,
        {"form": "erase", "dimension": "page", "operator": "is", "value": "/"},
        "erase",
        {"site": A, "visitor": None, "filters": ["event:page is /"]},
    ),
    "visits are erased by when they were": (
        SETTINGS,
        {"form": "erase", "dimension": "page", "operator": "is", "from": DAY, "to": DAY},
        "erase",
        {"site": A, "visitor": None, "start": DAY, "end": DAY},
    ),
    "a time zone is set": (
        SETTINGS,
        {"form": "general", "timezone": "Asia/Tehran"},
        "site.change",
        {"site": A, "timezone": "Asia/Tehran"},
    ),
    "a goal is added": (
        SETTINGS,
        {"form": "goal", "event": "Signup"},
        "goal.add",
        {"site": A, "event": "Signup"},
    ),
    "a goal is changed": (
        SETTINGS,
        {"form": "goal", "goal": "1", "page": "/join*", "name": "Joined"},
        "goal.change",
        {"site": A, "goal": "Visit /join", "page": "/join*", "name": "Joined"},
    ),
    "an import is taken out": (
        SETTINGS,
        {"form": "remove-import", "import": "1"},
        "import.remove",
        {"site": A, "id": 1},
    ),
    "a goal is removed": (
        SETTINGS,
        {"form": "remove-goal", "goal": "1"},
        "goal.remove",
        {"site": A, "goal": "Visit /join"},
    ),
    "properties are offered": (
        SETTINGS,
        {"form": "properties", "custom_properties": "plan\r\n author "},
        "site.change",
        {"site": A, "custom_properties": ["author", "plan"]},
    ),
    "a segment is saved": (
        f"/{A}/segments",
        {"f": "is,page,/b", "name": "B", "shared": "on"},
        "segment.add",
        {"site": A, "name": "B", "filters": '[["is","event:page",["/b"]]]'},
    ),
    "a segment is renamed": (
        SETTINGS,
        {"form": "segment", "segment": "2", "name": "The blog"},
        "segment.change",
        {"site": A, "segment": "Blog", "name": "The blog"},
    ),
    "a link is made": (
        SETTINGS,
        {"form": "link", "name": "agency", "embeddable": "on"},
        "link.create",
        {"site": A, "name": "agency", "embeddable": True},
    ),
    "a link is revoked": (
        SETTINGS,
        {"form": "revoke-link", "link": "3"},
        "link.revoke",
        {"site": A, "link": "press"},
    ),
    "a segment is removed": (
        SETTINGS,
        {"form": "remove-segment", "segment": "2"},
        "segment.remove",
        {"site": A, "segment": "Blog"},
    ),
    "a person is added": (
        SETTINGS,
        {"form": "person", "email": "eve@x.example", "password": PASSWORD},
        "user.add",
        {"email": "eve@x.example", "password": PASSWORD, "sites": [A], "must_change": True},
    ),
    "a person is given a second site": (
        f"/{B}/settings",
        {"form": "person", "email": VIEWER},
        "user.change",
        {"email": VIEWER, "add": [B]},
    ),
    "a person becomes an owner": (
        "/admin",
        {"form": "role", "email": VIEWER, "role": "owner"},
        "user.change",
        {"email": VIEWER, "owner": True},
    ),
    "a password is set": (
        "/admin",
        {"form": "password", "email": VIEWER, "password": "quite another"},
        "user.password",
        {"email": VIEWER, "password": "quite another", "must_change": True},
    ),
    "a person is logged out everywhere": (
        "/admin",
        {"form": "end-sessions", "email": VIEWER},
        "user.logout",
        {"email": VIEWER},
    ),
    "a person is removed": (
        "/admin",
        {"form": "remove-person", "email": VIEWER},
        "user.remove",
        {"email": VIEWER},
    ),
    "a key of a site is made": (
        SETTINGS,
        {"form": "key", "label": "new", "scope": "stats:read"},
        "key.create",
        {"scopes": ["stats:read"], "site": A, "label": "new"},
    ),
    "a key of all sites is made": (
        "/admin",
        {"form": "key", "label": "new", "scope": "events:write"},
        "key.create",
        {"scopes": ["events:write"], "site": None, "label": "new"},
    ),
    "a key is revoked": (
        SETTINGS,
        {"form": "revoke", "key": f"key of {A}"},
        "key.revoke",
        {"id": f"key of {A}"},
    ),
    "a key of all sites is revoked": (
        "/admin",
        {"form": "revoke", "key": "key of None"},
        "key.revoke",
        {"id": "key of None"},
    ),
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_page_and_a_command_leave_the_same_behind(
    both: tuple[Resources, Resources], step: str
) -> None:
    page, command = both
    before = await left(page)
    assert before == await left(command)
    path, form, operation, asked = STEPS[step]
    await by_page(page, path, form)
    await by_command(command, operation, asked)
    assert await left(page) == await left(command)
    assert await left(page) != before


def test_every_operation_that_changes_something_has_its_page() -> None:
    elsewhere = {"import", "export", "sql", "assistant", "export.now", "backup", "audit", "status"}
    elsewhere |= {"import.sums", "rebuild"}
    reading = {"erase.count", "site.list", "site.show", "site.attached", "site.expired"}
    reading |= {"rebuild.preview"}
    reading |= {"user.list", "key.list", "audit-log"}
    reading |= {"goal.list", "goal.show", "segment.list", "segment.show", "import.list"}
    reading |= {"link.list", "link.show"}
    tried = {operation for _, _, operation, _ in STEPS.values()}
    assert tried == set(operations.OPERATIONS) - elsewhere - reading
