"""The shared catalog passes the suite, and several processes see one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.catalog.shelf import Shelf, ShelfDocument
from tests.marks import found

from analytics.catalog.base import Catalog
from analytics.catalog.shared import SharedCatalog
from analytics.catalog.shared.database import SharedDatabase
from analytics.errors import Conflict, StoreUnavailable
from analytics.testing.contracts.catalog import PASSWORD, CatalogContract, HandClock


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def replica(shelf: Shelf, path: Path, first_s: float = 0) -> SharedCatalog:
    salts = ShelfDocument(shelf, "salts")
    return SharedCatalog(ShelfDocument(shelf), path, salts=salts, first_s=first_s)


class TestSharedCatalog(CatalogContract):
    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    async def catalog(
        self, tmp_path: Path, shelf: Shelf, clock: HandClock
    ) -> AsyncIterator[Catalog]:
        document, salts = ShelfDocument(shelf), ShelfDocument(shelf, "salts")
        async with SharedCatalog(
            document, tmp_path / "image", salts=salts, now_ms=clock
        ) as catalog:
            yield catalog


async def test_what_one_changes_the_other_knows(shelf: Shelf, tmp_path: Path) -> None:
    async with replica(shelf, tmp_path / "1") as one, replica(shelf, tmp_path / "2") as other:
        site = await one.sites.add("a.example", timezone="Etc/UTC")
        await one.people.add("ann@a.example", PASSWORD, owner=True)
        token = await one.people.log_in("ann@a.example", PASSWORD)
        assert await other.people.logged_in(token) is not None
        assert other.sites.all() == (site,)
        with pytest.raises(Conflict):
            await other.sites.add("a.example", timezone="Etc/UTC")
        for each in (one, other):
            await each.salts.make([20_000], today=20_000)
        assert one.salts.of(20_000, today=20_000) == other.salts.of(20_000, today=20_000)


async def test_an_idle_replica_learns_of_a_site(shelf: Shelf, tmp_path: Path) -> None:
    async with replica(shelf, tmp_path / "1") as one, replica(shelf, tmp_path / "2") as other:
        await one.sites.add("a.example", timezone="Etc/UTC")
        while not other.sites.all():
            await asyncio.sleep(0.02)


async def test_changes_made_at_once_are_all_kept(shelf: Shelf, tmp_path: Path) -> None:
    async with replica(shelf, tmp_path / "1") as one, replica(shelf, tmp_path / "2") as other:
        await asyncio.gather(
            *(one.sites.add(f"a{n}.example", timezone="Etc/UTC") for n in range(5)),
            *(other.sites.add(f"b{n}.example", timezone="Etc/UTC") for n in range(5)),
        )
        assert len(await one.people.all()) == 0  # which looks for the newest
        assert len(one.sites.all()) == 10
        assert len({site.number for site in one.sites.all()}) == 10


async def test_without_ignite_it_reads_on_and_refuses_changes(shelf: Shelf, tmp_path: Path) -> None:
    async with replica(shelf, tmp_path / "1") as one:
        site = await one.sites.add("a.example", timezone="Etc/UTC")
        shelf.away = True
        assert len(await one.people.all()) == 0
        with pytest.raises(StoreUnavailable):
            await one.sites.add("b.example", timezone="Etc/UTC")
        assert one.sites.all() == (site,)
    async with replica(shelf, tmp_path / "1") as again:
        assert again.sites.all() == (site,)
    with pytest.raises(StoreUnavailable):
        async with replica(shelf, tmp_path / "new"):
            pass


async def test_the_very_first_start_waits_for_ignite(shelf: Shelf, tmp_path: Path) -> None:
    shelf.away = True
    asyncio.get_running_loop().call_later(0.1, setattr, shelf, "away", False)
    async with replica(shelf, tmp_path / "new", first_s=60) as new:
        assert new.sites.all() == ()


async def test_an_image_of_an_older_replica_is_understood(shelf: Shelf, tmp_path: Path) -> None:
    async with replica(shelf, tmp_path / "a") as ours:
        await ours.people.add("ada@example.com", PASSWORD, owner=True)
        with closing(sqlite3.connect(":memory:")) as theirs:
            theirs.deserialize(shelf.documents["catalog"][1])
            for statement in (
                "ALTER TABLE people DROP COLUMN must_change",
                "ALTER TABLE sessions DROP COLUMN used_at",
                "ALTER TABLE sessions DROP COLUMN browser",
                "DROP TABLE audit",
                "DROP TABLE key_uses",
                "DROP TABLE submissions",
            ):
                theirs.execute(statement)
            theirs.execute("INSERT INTO people VALUES ('2', 'bob@example.com', 'x', 0, x'5b5d')")
            theirs.execute("PRAGMA user_version = 1")
            theirs.commit()
            shelf.documents["catalog"] = (shelf.documents["catalog"][0] + 1, theirs.serialize())
        assert [p.email for p in await ours.people.all()] == ["ada@example.com", "bob@example.com"]
        await ours.people.set_password("bob@example.com", PASSWORD)
        assert await ours.people.log_in("bob@example.com", PASSWORD)


async def test_a_replica_goes_on_with_what_it_has_once_a_newer_one_has_moved_the_catalog_up(
    shelf: Shelf, tmp_path: Path
) -> None:
    async with replica(shelf, tmp_path / "a") as ours:
        await ours.people.add("ada@example.com", PASSWORD, owner=True)
        await ours.sites.add("shop.example", timezone="Etc/UTC")
        revision, image = shelf.documents["catalog"]
        with closing(sqlite3.connect(":memory:")) as theirs:
            theirs.deserialize(image)
            theirs.execute("PRAGMA user_version = 99")
            theirs.commit()
            shelf.documents["catalog"] = (revision + 1, theirs.serialize())
        assert [p.email for p in await ours.people.all()] == ["ada@example.com"]
        with pytest.raises(StoreUnavailable, match=r"version 99.*upgrade"):
            await ours.sites.add("other.example", timezone="Etc/UTC")
        assert [site.domain for site in ours.sites.all()] == ["shop.example"]


def test_a_statement_that_was_compiled_for_one_image_is_not_run_on_the_next(
    shelf: Shelf, tmp_path: Path
) -> None:
    """SQLite would not compile it again, as the schema is the same, and read freed memory."""
    columns = [f"column_{number}" for number in range(40)]
    table = ", ".join(f"{each} TEXT NOT NULL" for each in columns)
    insert = f"INSERT INTO wide VALUES ({', '.join('?' * len(columns))})"

    def add(connection: sqlite3.Connection) -> None:
        connection.execute(insert, columns)

    def use_memory(connection: sqlite3.Connection) -> None:
        for size in range(1, 200, 7):
            connection.execute(f"SELECT '{'x' * size}' || ?", ("y",)).fetchone()

    with closing(SharedDatabase(ShelfDocument(shelf), tmp_path / "1")) as one:
        one.open()
        one.transact(lambda connection: connection.execute(f"CREATE TABLE wide ({table}) STRICT"))
        one.transact(add)
        for _ in range(3):
            revision, image = shelf.documents["catalog"]
            shelf.documents["catalog"] = (revision + 1, image)
            one.refresh()
            one.transact(use_memory)
            one.transact(add)
        rows = one.transact(lambda connection: connection.execute("SELECT * FROM wide").fetchall())
    assert rows == [tuple(columns)] * 4


async def test_no_image_of_the_catalog_holds_a_salt(shelf: Shelf, tmp_path: Path) -> None:
    """Neither what is shared, nor a replica's copy; a salt that is over is on no disk of ours."""
    async with replica(shelf, tmp_path / "1") as one, replica(shelf, tmp_path / "2") as other:
        await one.salts.make([100], today=100)
        await other.salts.make([100], today=100)
        salt = one.salts.of(100, today=100)
        await one.sites.add("a.example", timezone="Etc/UTC")
        await one.copy_to(tmp_path / "backup")
        assert salt in shelf.documents["salts"][1]
        assert salt not in shelf.documents["catalog"][1]
        holding = {
            path.parent.name
            for path in tmp_path.rglob("*")
            if path.is_file() and salt in path.read_bytes()
        }
        assert holding == {"1.salts", "2.salts"}
        await one.salts.make([103], today=103)
        assert salt not in shelf.documents["salts"][1]
        while found(tmp_path, [salt]):
            await asyncio.sleep(0.02)


async def test_a_start_without_ignite_counts_with_the_salts_that_it_kept(
    shelf: Shelf, tmp_path: Path
) -> None:
    async with replica(shelf, tmp_path / "1") as one:
        await one.salts.make([100], today=100)
        salt = one.salts.of(100, today=100)
    shelf.away = True
    async with replica(shelf, tmp_path / "1") as one:
        assert one.salts.of(100, today=100) == salt
