"""The SQLite catalog passes the suite, and keeps what it promises over a restart."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.marks import found

from analytics.catalog.base import Catalog
from analytics.catalog.sqlite import SqliteCatalog
from analytics.errors import Corrupt, Misconfigured, StoreUnavailable
from analytics.person import Scope
from analytics.testing.contracts.catalog import PASSWORD, CatalogContract, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class TestSqliteCatalog(CatalogContract):
    @pytest.fixture
    async def catalog(self, tmp_path: Path, clock: HandClock) -> AsyncIterator[Catalog]:
        async with SqliteCatalog(tmp_path / "catalog.sqlite", now_ms=clock) as catalog:
            yield catalog


async def test_it_also_lives_in_memory() -> None:
    async with SqliteCatalog(":memory:") as catalog:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        assert catalog.sites.all() == (site,)


async def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    async with SqliteCatalog(path) as catalog:
        site = await catalog.sites.add("example.com", timezone="Europe/Berlin")
        person = await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        token = await catalog.people.log_in("ada@example.com", PASSWORD)
        key, secret = await catalog.keys.create(scopes=[*Scope], site=None)
        await catalog.salts.make([100], today=100)
        salt = catalog.salts.of(100, today=100)
    async with SqliteCatalog(path) as catalog:
        assert catalog.sites.get("1") == site
        assert await catalog.people.logged_in(token) == person
        assert catalog.keys.find(secret) == key
        assert catalog.salts.of(100, today=102) == salt


async def test_no_secret_lies_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    async with SqliteCatalog(path) as catalog:
        await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        token = await catalog.people.log_in("ada@example.com", PASSWORD)
        _, secret = await catalog.keys.create(scopes=[*Scope], site=None)
        bytes_ = b"".join(file.read_bytes() for file in tmp_path.glob("catalog.sqlite*"))
    assert b"$argon2id$" in bytes_
    for hidden in (PASSWORD, token, secret):
        assert hidden.encode() not in bytes_


async def test_a_salt_lies_in_a_file_of_its_own_until_it_is_over(tmp_path: Path) -> None:
    async with SqliteCatalog(tmp_path / "catalog.sqlite") as catalog:
        await catalog.salts.make([100], today=100)
        salt = catalog.salts.of(100, today=100)
        await catalog.sites.add("example.com", timezone="Etc/UTC")
        await catalog.copy_to(tmp_path / "backup.sqlite")
        (file,) = (tmp_path / "catalog.salts").iterdir()
        assert found(tmp_path, [salt]).keys() == {file.name}
        assert file.stat().st_mode & 0o777 == 0o600
        with file.open("rb") as still_open:
            await catalog.salts.make([103], today=103)
            assert still_open.read() == bytes(24), "it is overwritten before it is removed"
        assert found(tmp_path, [salt]) == {}, "while the server runs, too"


async def test_the_salts_of_an_older_version_leave_the_files_of_the_catalog(tmp_path: Path) -> None:
    path, salt = tmp_path / "catalog.sqlite", secrets.token_bytes(16)
    async with SqliteCatalog(path) as catalog:
        await catalog.sites.add("example.com", timezone="Etc/UTC")
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "CREATE TABLE salts (day INTEGER PRIMARY KEY, made_on INTEGER NOT NULL,"
            " salt BLOB NOT NULL) STRICT;"
        )
        for day in range(500):  # so that some lie in pages that became free
            values = (day, day, salt)
            old.execute("INSERT INTO salts VALUES (?, ?, ?)", values)
        old.execute("DELETE FROM salts WHERE day < 490")
        old.commit()
    assert found(tmp_path, [salt]) != {}
    async with SqliteCatalog(path) as catalog:
        assert found(tmp_path, [salt]) == {}
        assert catalog.sites.get("example.com") is not None


async def test_a_catalog_of_a_newer_version_is_refused_with_both_numbers(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(Misconfigured, match="version 99, and this program knows version 4"):
        async with SqliteCatalog(path):
            pass


async def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(Corrupt, match="this is not a catalog"):
        async with SqliteCatalog(path):
            pass


async def test_a_copy_holds_what_the_catalog_held(tmp_path: Path) -> None:
    async with SqliteCatalog(tmp_path / "catalog.sqlite") as catalog:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        await catalog.copy_to(tmp_path / "copy.sqlite")
        await catalog.sites.add("later.example", timezone="Etc/UTC")
    async with SqliteCatalog(tmp_path / "copy.sqlite") as copy:
        assert copy.sites.all() == (site,)


async def test_a_closed_catalog_says_so() -> None:
    async with SqliteCatalog(":memory:") as catalog:
        pass
    with pytest.raises(StoreUnavailable, match="closed"):
        await catalog.people.all()


VERSION_1 = """
CREATE TABLE sites (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    domain TEXT NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;
CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL,
    owner INTEGER NOT NULL, sites BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (token BLOB PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE, created_at INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
CREATE TABLE keys (id TEXT PRIMARY KEY, secret BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL,
    body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE salts (day INTEGER PRIMARY KEY, made_on INTEGER NOT NULL, salt BLOB NOT NULL) STRICT;
INSERT INTO people VALUES ('1', 'ada@example.com', 'x', 1, x'5b5d');
PRAGMA user_version = 1;
"""


async def test_a_catalog_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as old:
        old.executescript(VERSION_1)
    for _ in range(2):
        async with SqliteCatalog(tmp_path / "catalog.sqlite") as catalog:
            (ada,) = await catalog.people.all()
            assert (ada.email, ada.owner, ada.must_change) == ("ada@example.com", True, False)
            await catalog.people.set_password("ada@example.com", PASSWORD)
            assert await catalog.people.log_in("ada@example.com", PASSWORD)
