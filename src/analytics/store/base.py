"""What a store of rows must do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, WriteBatch
from analytics.query import Query, Result

__all__ = ["DeadLetter", "LedgerKey", "LedgerLine", "SeriesStore", "WriteBatch"]


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
