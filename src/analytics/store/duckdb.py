"""The embedded store: rows, ledger and offsets in one DuckDB file."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import duckdb

from analytics.errors import AnalyticsError, Corrupt, Malformed, Misconfigured, StoreUnavailable
from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.ledger import LedgerKey, LedgerLine, WriteBatch
from analytics.pipeline.visit import Visit
from analytics.query import Query, Result
from analytics.store import answering, bookkeeping, lookups, writing
from analytics.store.base import SeriesStore
from analytics.store.connection import Connection, Parameters, Record, transaction
from analytics.store.threads import Threads

SCHEMA_VERSION: Final = 1


class DuckDBStore:
    """A `SeriesStore` in one DuckDB file, which one process owns while it is open."""

    def __init__(
        self,
        path: Path,
        *,
        memory_limit: str = "512MB",
        threads: int = 2,
        readers: int = 2,
        waiting: int = 64,
    ) -> None:
        self._threads = Threads(
            partial(_Engine, path, memory_limit, threads), readers=readers, waiting=waiting
        )
        self._scratch = path.parent / "scratch"
        self._file: writing.RowFile | None = None

    async def __aenter__(self) -> Self:
        await self._threads.open()
        await self._threads.write(self._prepare)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._threads.close()

    async def write(self, batch: WriteBatch) -> None:
        """Return when the rows, the ledger and the offset are durable, in one transaction."""
        await self._threads.write(partial(self._write, batch))

    async def offsets(self) -> Mapping[int, int]:
        """For each partition of the log, the next offset to read."""
        return await self._threads.read(bookkeeping.offsets)

    async def query(self, query: Query) -> Result:
        """Answer *query* from every row written before the call."""
        return await self._threads.read(partial(answering.answer, query=query))

    async def ledger(self, site: str | None = None) -> Mapping[LedgerKey, LedgerLine]:
        """The ledger of one site, or of all."""
        return await self._threads.read(partial(bookkeeping.ledger, site=site))

    async def seen(self, candidates: Sequence[Unsure]) -> set[tuple[str, str]]:
        """Which (site, event_id)s of *candidates* are stored."""
        return await self._threads.read(partial(lookups.seen, candidates=candidates))

    async def visits(self, pairs: Collection[tuple[str, int]]) -> list[Visit]:
        """Every visit of these (site, visitor)s, in log order."""
        return await self._threads.read(partial(lookups.visits, pairs=pairs))

    async def recent_visits(self, touched_since: int) -> list[Visit]:
        """Every visit, whole, with a row received since then, in log order."""
        return await self._threads.read(partial(lookups.recent_visits, touched_since=touched_since))

    def recent_ids(self, received_since: int) -> AsyncIterator[list[tuple[str, str]]]:
        """(site, event_id) of every row received since then, in chunks."""
        return self._threads.stream(partial(lookups.recent_ids, received_since=received_since))

    def _prepare(self, connection: Connection) -> None:
        self._scratch.mkdir(exist_ok=True)
        for left_over in self._scratch.iterdir():  # of a process that was killed
            left_over.unlink()
        self._file = writing.RowFile(connection, self._scratch)

    def _write(self, batch: WriteBatch, connection: Connection) -> None:
        if self._file is None:
            raise StoreUnavailable("The store is not open.")
        writing.write(connection, batch, self._file)


class _Engine:
    """The open file."""

    def __init__(self, path: Path, memory_limit: str, threads: int) -> None:
        self.broken = False
        self._path = path
        self._connections: list[duckdb.DuckDBPyConnection] = []
        self._lock = threading.Lock()
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        }
        try:
            self._root = duckdb.connect(str(path), config=options)
        except duckdb.Error as exc:
            raise _refusal(path, exc) from exc
        try:
            _apply_schema(_Session(self, self._root), path)
        except BaseException:
            self._root.close()
            raise

    def connect(self) -> Connection:
        """A new connection, for one thread."""
        with self._lock, _translated(self):
            cursor = self._root.cursor()
            self._connections.append(cursor)
            return _Session(self, cursor)

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        with self._lock, _translated(self):
            for connection in (*self._connections, self._root):
                connection.close()
            self._connections.clear()


class _Session:
    """One thread's connection."""

    def __init__(self, engine: _Engine, raw: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine
        self._raw = raw

    def run(self, sql: str, parameters: Parameters = ()) -> None:
        """Run it for its effect."""
        with _translated(self._engine):
            self._raw.execute(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Record]:
        """The whole answer."""
        with _translated(self._engine):
            return self._raw.execute(sql, parameters).fetchall()

    def chunks(
        self, sql: str, parameters: Parameters = (), *, size: int = 10_000
    ) -> Iterator[list[Record]]:
        """The answer, *size* rows at a time."""
        with _translated(self._engine):
            self._raw.execute(sql, parameters)
            while chunk := self._raw.fetchmany(size):
                yield chunk

    def rollback(self) -> None:
        """End the transaction, if one is open, as if it had not been."""
        with suppress(duckdb.Error):
            self._raw.rollback()


@contextmanager
def _translated(engine: _Engine) -> Iterator[None]:
    """Our errors for the driver's."""
    try:
        yield
    except duckdb.Error as exc:
        text = str(exc)
        if isinstance(exc, duckdb.FatalException) or "has been invalidated" in text:
            engine.broken = True
        raise _ours(exc, text) from exc


def _ours(exc: duckdb.Error, text: str) -> AnalyticsError:
    reason = text.partition("\n")[0]
    if isinstance(exc, duckdb.InvalidInputException) and "regexp" not in text:
        # The compiler checks all but the one language it does not read itself.
        return Malformed("filters", f"not a regular expression (RE2): {reason}")
    if "checksum" in text.lower():
        return Corrupt(f"The database does not match its checksum: {reason}")
    return StoreUnavailable(f"The database refused: {reason}")


def _refusal(path: Path, exc: duckdb.Error) -> AnalyticsError:
    """Why the file cannot be opened."""
    text = str(exc)
    reason = text.partition("\n")[0]
    if "lock" in text:
        return Misconfigured(f"{path} is open in another process. Stop it, or use another folder.")
    if "newer" in text or "version" in text.lower():
        return Misconfigured(f"{path} was written by a newer version: {reason}. Update first.")
    if isinstance(exc, duckdb.SerializationException) or "valid DuckDB" in text:
        return Corrupt(f"{path} is damaged: {reason}. Restore a backup.")
    return Misconfigured(f"{path} cannot be opened: {reason}")


def _apply_schema(connection: Connection, path: Path) -> None:
    """Create what is missing; refuse a file of a newer version."""
    ((exists,),) = connection.rows(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_version'"
    )
    if not exists:
        with transaction(connection):
            connection.run(files("analytics.store").joinpath("schema.sql").read_text("utf-8"))
            connection.run("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
        return
    ((version,),) = connection.rows("SELECT max(version) FROM schema_version")
    if version > SCHEMA_VERSION:
        raise Misconfigured(
            f"{path} has schema version {version}, and this program knows {SCHEMA_VERSION}."
            " It was written by a newer version: update, or restore an older backup."
        )


_: type[SeriesStore] = DuckDBStore
