"""What a store of rows must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, Self

from analytics.event import Row
from analytics.query import Query, Result


class LedgerKey(NamedTuple):
    """One line of the ledger: a site and a UTC hour (milliseconds) of `received_at`."""

    site: str
    hour: int


class LedgerLine(NamedTuple):
    """What became of the hits of one `LedgerKey`.

    received = stored + duplicate + sum(dropped) + dead; `erased` counts stored rows that
    retention or an erasure deleted afterwards.
    """

    received: int
    stored: int
    duplicate: int
    dropped: Mapping[str, int]
    dead: int
    erased: int = 0


class DeadLetter(NamedTuple):
    """A record that could not be understood, kept as it was."""

    offset: int
    received_at: int
    reason: str
    payload: bytes


class WriteBatch(NamedTuple):
    """What one step of the projector hands over, all or nothing."""

    rows: Sequence[Row]
    ledger: Mapping[LedgerKey, LedgerLine]
    dead: Sequence[DeadLetter]
    partition: int
    next_offset: int
    """Where the log will be read next."""


class SeriesStore(AbstractAsyncContextManager["SeriesStore"], Protocol):
    """Rows, kept and counted. Opening and closing is `async with`."""

    async def write(self, batch: WriteBatch) -> None:
        """Return when the rows, the ledger and the offset are durable, in one transaction."""

    async def offsets(self) -> Mapping[int, int]:
        """For each partition of the log, the next offset to read."""

    async def query(self, query: Query) -> Result:
        """Answer *query* from every row written before the call.

        Raises `Malformed` for a combination that has no meaning, `StoreUnavailable` when the
        store cannot answer now.
        """

    async def ledger(self, site: str | None = None) -> Mapping[LedgerKey, LedgerLine]:
        """The ledger of one site, or of all."""

    async def __aenter__(self) -> Self: ...
