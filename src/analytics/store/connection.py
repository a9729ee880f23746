"""What the store's SQL runs on: one thread's connection to the engine."""

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
    """Runs statements, with every value bound. Raises only our own errors."""

    def run(self, sql: str, parameters: Parameters = ()) -> None:
        """Run it for its effect."""

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Record]:
        """The whole answer."""

    def chunks(
        self, sql: str, parameters: Parameters = (), *, size: int = 10_000
    ) -> Iterator[list[Record]]:
        """The answer, *size* rows at a time; nothing else may run on the connection meanwhile."""

    def rollback(self) -> None:
        """End the transaction, if one is open, as if it had not been."""

    def progress(self) -> float:
        """How much of the statement that runs now is done, from 0 to 1; from any thread."""

    def interrupt(self) -> None:
        """Make the statement that runs now fail, if one does; from any thread."""

    def close(self) -> None:
        """Give it back; what runs on it fails, and whatever comes. From any thread."""


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All of the statements inside, or none."""
    try:
        connection.run("BEGIN TRANSACTION")  # interrupted, it may have begun nevertheless
        yield
        connection.run("COMMIT")
    except BaseException:
        connection.rollback()
        raise
