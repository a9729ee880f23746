"""The connection of one thread to the engine, as the store's SQL uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from analytics.errors import StoreUnavailable

Parameters = Mapping[str, object] | Sequence[object]
Record = tuple[Any, ...]
"""One row of an answer; its types are those of the statement's columns."""


class UnreadableValue(StoreUnavailable):
    """The engine cannot read a value that was bound."""


class Connection(Protocol):
    """Runs statements, with every value bound. Raises only `AnalyticsError`s."""

    def run(self, sql: str, parameters: Parameters = ()) -> None:
        """Run a statement for its effect."""

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Record]:
        """Run a statement and return all its rows."""

    def chunks(
        self, sql: str, parameters: Parameters = (), *, size: int = 10_000
    ) -> Iterator[list[Record]]:
        """Run a statement and yield its rows, *size* at a time.

        Nothing else may run on the connection until the last chunk.
        """

    def rollback(self) -> None:
        """Roll back the open transaction, if there is one."""

    def progress(self) -> float:
        """Return the share of the running statement that is done, from 0 to 1.

        May be called from any thread.
        """

    def interrupt(self) -> None:
        """Make the running statement fail, if there is one. May be called from any thread."""

    def close(self) -> None:
        """Close the connection, from any thread; running and later statements fail."""


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Run the statements of the block in one transaction, rolled back if the block raises."""
    try:
        connection.run("BEGIN TRANSACTION")  # interrupted, it may have begun nevertheless
        yield
        connection.run("COMMIT")
    except BaseException:
        connection.rollback()
        raise
