"""What an owner removes is gone with all that hung on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from analytics.catalog import goals, service
from analytics.catalog.audit_log import AuditAction
from analytics.catalog.sqlite import SqliteCatalog
from analytics.errors import Conflict, Forbidden, Malformed, NotFound, StoreUnavailable
from analytics.goal import Goal
from analytics.person import Scope
from analytics.site import Shields
from analytics.store.duckdb import DuckDBStore
from analytics.testing import sample
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.contracts.catalog import PASSWORD

OTHER = "other.example"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with DuckDBStore(tmp_path / "store.duckdb") as store:
        await store.write(sample.batch([hit(NOON), hit(NOON + 1), hit(NOON, site=OTHER)]))
        yield store


@pytest.fixture
async def catalog() -> AsyncIterator[SqliteCatalog]:
    async with SqliteCatalog(":memory:") as catalog:
        for domain in (SITE, OTHER):
            await catalog.sites.add(domain, timezone="Etc/UTC")
        await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        await catalog.people.add("bob@x.example", PASSWORD, owner=False, sites=(SITE, OTHER))
        await catalog.people.add("eve@x.example", PASSWORD, owner=False, sites=(SITE,))
        yield catalog


async def emails(catalog: SqliteCatalog) -> dict[str, tuple[str, ...]]:
    return {person.email: person.sites for person in await catalog.people.all()}


@pytest.mark.parametrize("erase", [False, True])
async def test_a_removed_site_leaves_no_key_and_no_viewer(
    catalog: SqliteCatalog, store: DuckDBStore, *, erase: bool
) -> None:
    _, mine = await catalog.keys.create(scopes=[*Scope], site=SITE)
    _, other = await catalog.keys.create(scopes=[*Scope], site=OTHER)
    _, every = await catalog.keys.create(scopes=[*Scope], site=None)
    going = await service.attached(catalog, store, SITE)
    assert (len(going.keys), len(going.viewers), going.rows) == (1, 2, 2)
    removed = await service.remove_site(catalog, store, SITE, erase=erase)
    assert removed == service.Removed(keys=1, viewers=2, rows=2 if erase else 0)
    assert catalog.sites.get(SITE) is None
    assert [catalog.keys.find(secret) is None for secret in (mine, other, every)] == [
        True,
        False,
        False,
    ]
    assert await emails(catalog) == {
        "ada@x.example": (),
        "bob@x.example": (OTHER,),
        "eve@x.example": (),
    }
    assert await store.count_rows(OTHER) == 1
    with pytest.raises(NotFound):
        await service.remove_site(catalog, store, SITE, erase=erase)
    added = await service.add_site(catalog, store, f"https://www.{SITE}/", timezone="Etc/UTC")
    assert (added.site.domain, added.since) == (SITE, None if erase else NOON)


async def test_somebody_is_given_and_loses_sites(catalog: SqliteCatalog) -> None:
    await service.change_person(catalog, " EVE@x.example ", add=[OTHER, SITE])
    assert (await emails(catalog))["eve@x.example"] == (SITE, OTHER)
    await service.change_person(catalog, "eve@x.example", drop=[SITE])
    assert (await emails(catalog))["eve@x.example"] == (OTHER,)
    with pytest.raises(Conflict, match="no site any more"):
        await service.change_person(catalog, "eve@x.example", drop=[OTHER])
    owner = await service.change_person(catalog, "eve@x.example", owner=True)
    assert owner.owner
    with pytest.raises(NotFound, match="has no account"):
        await service.change_person(catalog, "mallory@x.example", add=[SITE])


async def test_an_account_goes_with_the_last_site_that_is_withdrawn(catalog: SqliteCatalog) -> None:
    assert not await service.withdraw(catalog, "bob@x.example", SITE)
    assert (await emails(catalog))["bob@x.example"] == (OTHER,)
    assert await service.withdraw(catalog, "eve@x.example", SITE)
    assert "eve@x.example" not in await emails(catalog)
    with pytest.raises(Conflict, match="is an owner"):
        await service.withdraw(catalog, "ada@x.example", SITE)


async def test_nobody_is_added_who_would_see_nothing(catalog: SqliteCatalog) -> None:
    with pytest.raises(Malformed, match="at least one site"):
        await service.add_person(
            catalog, "new@x.example", PASSWORD, owner=False, sites=(), must_change=True
        )


async def test_a_key_of_all_sites_is_not_revoked_from_one_of_them(catalog: SqliteCatalog) -> None:
    mine, _ = await catalog.keys.create(scopes=[*Scope], site=SITE)
    other, _ = await catalog.keys.create(scopes=[*Scope], site=OTHER)
    every, secret = await catalog.keys.create(scopes=[*Scope], site=None)
    with pytest.raises(Forbidden, match="acts on all sites"):
        await service.revoke_key(catalog, every.id, of=SITE)
    with pytest.raises(NotFound):
        await service.revoke_key(catalog, other.id, of=SITE)
    assert catalog.keys.find(secret) == every
    assert await service.revoke_key(catalog, mine.id, of=SITE) == mine
    assert await service.revoke_key(catalog, every.id) == every
    assert catalog.keys.find(secret) is None


async def test_a_change_keeps_what_somebody_else_changed_meanwhile(catalog: SqliteCatalog) -> None:
    changed = await service.change_site(catalog, f"WWW.{SITE}", cookieless=True)
    assert (changed.cookieless, changed.public) == (True, False)
    changed = await service.change_site(catalog, SITE, public=True, retention_days=30)
    assert (changed.cookieless, changed.public, changed.retention_days) == (True, True, 30)
    assert catalog.sites.get(SITE) == changed
    with pytest.raises(NotFound, match="is not a site here"):
        await service.change_site(catalog, "gone.example", public=True)
    with pytest.raises(Malformed):
        await service.change_site(catalog, SITE, timezone="Mars/Olympus")


async def test_a_change_keeps_what_another_replica_changed_unseen(tmp_path: Path) -> None:
    """Two catalogs of one file, of which the second has not read yet what the first wrote."""
    path = tmp_path / "one.sqlite"
    async with SqliteCatalog(path) as first, SqliteCatalog(path) as second:
        await first.sites.add(SITE, timezone="Etc/UTC")
        await second.sites.add(OTHER, timezone="Etc/UTC")
        await goals.add_goal(first, SITE, Goal(id=0, name="", page="/join"))
        await service.change_site(first, SITE, shields={"countries": ("DE",)})
        await service.change_site(second, SITE, public=True)
        await service.change_site(second, SITE, shields={"pages": ("/x",)})
        await service.add_hostname(second, SITE, "shop.example")
        site = second.sites.get(SITE)
        assert site is not None
        assert [goal.page for goal in site.goals] == ["/join"]
        assert (site.public, site.shields) == (True, Shields(countries=("DE",), pages=("/x",)))
        assert site.other_hostnames == ("shop.example",)


async def test_an_account_is_named_in_any_spelling(catalog: SqliteCatalog) -> None:
    mine = await catalog.people.log_in("eve@x.example", PASSWORD)
    await catalog.people.log_in("eve@x.example", PASSWORD)
    await catalog.people.log_in("bob@x.example", PASSWORD)
    ended = await service.end_sessions(catalog, " EVE@x.example ", keep=mine)
    assert ended == service.EndedSessions("eve@x.example", 1)
    assert await service.end_sessions(catalog, None) == service.EndedSessions(None, 2)
    changed = await service.set_password(catalog, "EVE@x.example", "another long one")
    assert changed.email == "eve@x.example"
    assert await catalog.people.log_in("eve@x.example", "another long one")
    assert (await service.remove_person(catalog, " EVE@x.example")).email == "eve@x.example"
    assert "eve@x.example" not in await emails(catalog)
    for attempt in (
        service.end_sessions(catalog, "eve@x.example"),
        service.set_password(catalog, "eve@x.example", "another long one"),
        service.remove_person(catalog, "eve@x.example"),
    ):
        with pytest.raises(NotFound, match="has no account"):
            await attempt


class UnwritableLog:
    """An audit log whose catalog cannot write now."""

    async def record(self, what: AuditAction, *, about: str = "", site: str = "") -> None:
        raise StoreUnavailable("not now")


async def test_an_erasure_that_cannot_be_logged_has_happened_all_the_same(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.record(catalog, AuditAction.DATA_ERASED, rows=1, site=SITE)
    (entry,) = await catalog.audit_log.recent(1)
    assert (entry.what, entry.about, entry.site) == (AuditAction.DATA_ERASED, "1 event", SITE)
    monkeypatch.setattr(catalog, "audit_log", UnwritableLog())
    await service.record(catalog, AuditAction.DATA_ERASED, rows=1, site=SITE)


class Failing:
    """Rows that cannot be deleted now."""

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        return 1

    async def delete_site(self, site: str) -> int:
        raise StoreUnavailable("not now")


async def test_a_removal_that_fails_half_way_has_changed_nothing(catalog: SqliteCatalog) -> None:
    _, mine = await catalog.keys.create(scopes=[*Scope], site=SITE)
    before = await emails(catalog)
    with pytest.raises(StoreUnavailable):
        await service.remove_site(catalog, Failing(), SITE, erase=True)
    assert catalog.sites.get(SITE) is not None
    assert catalog.keys.find(mine) is not None
    assert await emails(catalog) == before


async def test_a_site_that_is_added_again_inherits_nothing(tmp_path: Path) -> None:
    """However it was removed, and after a start, too."""
    async with SqliteCatalog(tmp_path / "catalog.sqlite") as catalog:
        await catalog.sites.add(SITE, timezone="Etc/UTC")
        await catalog.sites.add(OTHER, timezone="Etc/UTC")
        await catalog.people.add("ada@x.example", PASSWORD, owner=True, sites=(SITE,))
        await catalog.people.add("bob@x.example", PASSWORD, owner=False, sites=(SITE, OTHER))
        secrets = [
            (await catalog.keys.create(scopes=[*Scope], site=site))[1]
            for site in (SITE, OTHER, None)
        ]
        await catalog.sites.remove(SITE)
        await catalog.sites.add(SITE, timezone="Etc/UTC")
        found = [catalog.keys.find(secret) is not None for secret in secrets]
        assert found == [False, True, True]
        assert await emails(catalog) == {"ada@x.example": (), "bob@x.example": (OTHER,)}
    async with SqliteCatalog(tmp_path / "catalog.sqlite") as catalog:
        assert [catalog.keys.find(secret) is not None for secret in secrets] == found


async def test_what_was_given_between_a_removal_and_an_addition_is_not_inherited(
    tmp_path: Path,
) -> None:
    """Whoever looked the site up before its removal may write a moment after it."""
    async with SqliteCatalog(tmp_path / "catalog.sqlite") as catalog:
        await catalog.sites.add(SITE, timezone="Etc/UTC")
        await catalog.sites.add(OTHER, timezone="Etc/UTC")
        await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        await catalog.people.add("bob@x.example", PASSWORD, owner=False, sites=(OTHER,))
        bob = await service.person(catalog, "bob@x.example")
        await catalog.sites.remove(SITE)
        with pytest.raises(NotFound):
            await catalog.keys.create(scopes=[*Scope], site=SITE)
        await catalog.people.change(msgspec.structs.replace(bob, sites=(OTHER, SITE)))
        await catalog.sites.add(SITE, timezone="Etc/UTC")
        assert list(await catalog.keys.all()) == []
        assert await emails(catalog) == {"ada@x.example": (), "bob@x.example": (OTHER,)}
