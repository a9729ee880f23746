"""A mark: text that no file may hold any more once the hits that brought it are erased.

The search looks at the bytes of every file of a folder, and at what files say when they are opened:
a database may hold a text compressed, and a backup is an archive. It can only be trusted after it
has found every mark in a file that is known to hold them; tests assert that first.
"""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
import tempfile
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import duckdb

FIELDS = ("path", "title", "property", "referrer", "event")


class Marks:
    """One for each place in which a visitor's text may lie; random, so that nothing shortens it."""

    def __init__(self) -> None:
        self.of = {field: f"{field}{uuid.uuid4().hex}" for field in FIELDS}

    def hits(self, site: str, visitor: str, *, ts: int | None = None) -> list[dict[str, object]]:
        """A page view and an event of *visitor* with every mark."""
        moment = {} if ts is None else {"ts": ts}
        address = f"https://{site}/{self.of['path']}"
        who = {"d": site, "u": address, "vid": visitor, **moment}
        return [
            {
                **who,
                "n": "pageview",
                "title": self.of["title"],
                "r": f"https://elsewhere.example/{self.of['referrer']}",
            },
            {**who, "n": self.of["event"], "p": {"secret": self.of["property"]}},
        ]

    @property
    def texts(self) -> Collection[str]:
        """All of them."""
        return self.of.values()


def found(where: Path, wanted: Collection[bytes | str]) -> Mapping[str, set[str]]:
    """Return, for each file in or below *where* that holds some of *wanted*, which."""
    raw = {each.encode() if isinstance(each, str) else each for each in wanted}
    paths = [where] if where.is_file() else [*where.rglob("*")]
    held: dict[str, set[str]] = {}
    for path in paths:
        if not path.is_file():
            continue
        for content in _contents(path):
            for each in raw:
                if each in content:
                    held.setdefault(path.name, set()).add(each.decode("utf-8", "replace"))
    return held


def _contents(path: Path) -> Iterator[bytes]:
    try:
        yield path.read_bytes()
    except FileNotFoundError:  # deleted since the folder was listed
        return
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix == ".tar":
            with tarfile.open(path) as tar:
                tar.extractall(folder, filter="data")
            for inner in Path(folder).rglob("*"):
                if inner.is_file():
                    yield from _contents(inner)
        elif path.name in ("store.duckdb", "catalog.sqlite"):
            copy = Path(folder) / path.name
            for each in path.parent.glob(f"{path.name}*"):
                shutil.copy(each, folder)
            yield from (
                _cells_of_duckdb(copy) if path.suffix == ".duckdb" else _cells_of_sqlite(copy)
            )


def _cells_of_duckdb(path: Path) -> Iterator[bytes]:
    with duckdb.connect(str(path)) as database:
        tables = database.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        for (table,) in tables:
            yield repr(database.execute(f'SELECT * FROM "{table}"').fetchall()).encode()


def _cells_of_sqlite(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()
