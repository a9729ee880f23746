"""The only module that uses the driver: opens a DuckDB file and translates its errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Final

import duckdb

from analytics.errors import AnalyticsError, Corrupt, Malformed, Misconfigured, StoreUnavailable
from analytics.store.connection import Connection, Parameters, Record, UnreadableValue, transaction

SCHEMA_VERSION: Final = 5
_SINCE: Final = {
    2: "hot_window.sql",
    3: "row_erasure.sql",
    4: "imported_sums.sql",
    5: "goal_cells.sql",
}
"""The statements that each schema version after the first adds."""
_INTERRUPT_EVERY_S: Final = 0.05


class Engine:
    """The open file."""

    def __init__(self, path: Path, memory_limit: str, threads: int) -> None:
        self.broken = False
        self._path = path
        self._sessions: list[_Session] = []
        self._lock = threading.Lock()
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            # The size of a common table expression is guessed, and often as next to nothing: an
            # ASOF join over it would compare every row with every other.
            "asof_loop_join_threshold": 0,
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
        """Return a new connection, for one thread."""
        with self._lock, _translated(self):
            session = _Session(self, self._root.cursor())
            # Without a progress bar, a silent one, nobody could ask how far a statement is.
            session.run("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
            self._sessions.append(session)
            return session

    def forget(self, session: _Session) -> None:
        """It is closed already."""
        with self._lock, suppress(ValueError):
            self._sessions.remove(session)

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        with self._lock:
            sessions = tuple(self._sessions)
        for session in sessions:
            session.close()
        with _translated(self):
            self._root.close()


class _Session:
    """One thread's connection; what other threads may do with it is interrupt and close it."""

    def __init__(self, engine: Engine, raw: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine
        self._raw = raw
        self._busy = threading.Lock()
        self._ending = threading.Lock()

    def run(self, sql: str, parameters: Parameters = ()) -> None:
        """Run a statement for its effect."""
        with self._busy, _translated(self._engine):
            self._raw.execute(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Record]:
        """Return all rows of the answer."""
        with self._busy, _translated(self._engine):
            return self._raw.execute(sql, parameters).fetchall()

    def chunks(
        self, sql: str, parameters: Parameters = (), *, size: int = 10_000
    ) -> Iterator[list[Record]]:
        """Yield the rows of the answer, *size* at a time."""
        self.run(sql, parameters)
        while chunk := self._fetch(size):
            yield chunk

    def _fetch(self, size: int) -> list[Record]:
        with self._busy, _translated(self._engine):
            return self._raw.fetchmany(size)

    def rollback(self) -> None:
        """Roll back the transaction, if one is open."""
        # Interrupted, it would leave the connection inside a transaction for good.
        with self._busy, self._ending, suppress(duckdb.Error):
            self._raw.rollback()

    def progress(self) -> float:
        """Return the share of the running statement that is done, from 0 to 1."""
        return max(0.0, min(1.0, self._raw.query_progress() / 100))

    def interrupt(self) -> None:
        """Make the running statement fail, if there is one."""
        with self._ending, suppress(duckdb.Error):  # it may be closed already
            self._raw.interrupt()

    def close(self) -> None:
        """Interrupt the running statement, and close the connection."""
        # Again and again: a statement may be just about to begin.
        while not self._busy.acquire(timeout=_INTERRUPT_EVERY_S):
            self._raw.interrupt()
        try:
            with _translated(self._engine):
                self._raw.close()
        finally:
            self._busy.release()
        self._engine.forget(self)


def check_patterns(connection: Connection, patterns: Sequence[str]) -> None:
    """Raise `Malformed` for a regular expression that the engine cannot parse.

    The engine parses a pattern only when there is a text to match, so it gets an empty one.
    """
    if not patterns:
        return
    try:
        connection.rows("SELECT regexp_matches('', unnest($all))", {"all": [*patterns]})
    except UnreadableValue as exc:
        if len(patterns) > 1:  # one after the other, to find out which it is
            for pattern in patterns:
                check_patterns(connection, [pattern])
        raise Malformed(
            "filters", f"{patterns[0]!r} is not a regular expression that RE2 can read"
        ) from exc


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    """Translate the driver's errors into ours."""
    try:
        yield
    except duckdb.Error as exc:
        text = str(exc)
        if isinstance(exc, duckdb.FatalException) or "has been invalidated" in text:
            engine.broken = True
        raise _ours(exc, text) from exc


def _ours(exc: duckdb.Error, text: str) -> AnalyticsError:
    reason = text.partition("\n")[0]
    if isinstance(exc, duckdb.InvalidInputException):
        return UnreadableValue(f"The database refused a value: {reason}")
    if "checksum" in text.lower():
        return Corrupt(f"The database does not match its checksum: {reason}")
    return StoreUnavailable(f"The database refused: {reason}")


def _refusal(path: Path, exc: duckdb.Error) -> AnalyticsError:
    """Return the reason why the file cannot be opened."""
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
    """Create missing tables and columns; refuse a file of a newer version."""
    ((exists,),) = connection.rows(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_version'"
    )
    if not exists:
        with transaction(connection):
            connection.run(_sql("schema.sql"))
            connection.run("INSERT INTO schema_version VALUES (1)")
    ((version,),) = connection.rows("SELECT max(version) FROM schema_version")
    if version > SCHEMA_VERSION:
        raise Misconfigured(
            f"{path} has schema version {version}, and this program knows {SCHEMA_VERSION}."
            " It was written by a newer version: update, or restore an older backup."
        )
    with transaction(connection):
        for added in range(version + 1, SCHEMA_VERSION + 1):
            connection.run(_sql(_SINCE[added]))
            connection.run("UPDATE schema_version SET version = ?", [added])


def _sql(name: str) -> str:
    return files("analytics.store.duckdb").joinpath(name).read_text("utf-8")
