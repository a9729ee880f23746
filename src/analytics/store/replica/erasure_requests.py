"""Erases rows in a cluster by appending erasures to the log, which job and replicas apply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import structlog

from analytics.errors import NotVisibleYet, StoreUnavailable
from analytics.event import Erasure
from analytics.sharding import shard_of
from analytics.store.duckdb.row_erasure import MatchingRows

log = structlog.get_logger()

_MARGIN_MS: Final = 2_000
"""How far in the future an erasure's cutoff lies.

The erasure must reach the log before its cutoff; otherwise hits received in between would be erased
only in part.
"""
_TRIES: Final = 5
_WAIT_S: Final = 60.0


class ErasureLog(Protocol):
    """The log, as far as erasures need it."""

    async def partitions(self) -> Sequence[int]:
        """Return the partitions of the log. Raises `LogUnavailable`."""

    async def append(self, orders: Sequence[Erasure]) -> Mapping[int, int]:
        """Append *orders*; return when they are durable, with the offset behind them by partition.

        Raises `LogUnavailable`, or `NotVisibleYet` if they are in a spool until the log is back.
        """


class ErasableEngine(Protocol):
    """The replica's own engine, as far as erasures need it."""

    async def matching(self, site: str, visitor: int | None) -> MatchingRows:
        """Count the rows of a visitor of *site*, or of all its visitors if *visitor* is None."""

    async def retention_due(self, site: str, before_ms: int) -> int | None:
        """Return where the site's figures would begin after retention; None if nothing is due."""


class ReplicaErasure:
    """Requests erasures, and waits until this replica has applied them."""

    def __init__(
        self,
        log: ErasureLog,
        engine: ErasableEngine,
        reached: Callable[[Mapping[int, int]], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        self._log = log
        self._engine = engine
        self._reached = reached
        self._clock = clock
        self._retained: dict[str, int] = {}

    async def erase(self, site: str, visitor: int | None) -> int:
        """Erase the rows of a visitor (None: of the site); return how many this replica had.

        Returns when they are gone from this replica. Raises `Unavailable` if that takes too long or
        fails; the message says what will become of the rows.
        """
        matching = await self._engine.matching(site, visitor)
        until, ends = await self._append(site, visitor, matching)
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._reached(ends)
        except TimeoutError:
            raise NotVisibleYet(
                f"{site}: the erasure is in the log, and will be carried out; this server has not"
                " come to it yet. See whether the stream job runs and Ignite answers; nothing need"
                " be asked again"
            ) from None
        # Hits received after this are not erased.
        await asyncio.sleep(max(0, until + 1 - self._clock()) / 1000)
        return matching.rows

    async def retain(self, site: str, before_ms: int) -> None:
        """Request the deletion of days that ended before *before_ms*, once; do not wait for it."""
        before = await self._engine.retention_due(site, before_ms)
        if before is None or self._retained.get(site, before - 1) >= before:
            return
        until = self._clock() + _MARGIN_MS
        await self._log.append(
            [
                Erasure(site=site, until=until, before=before, shard=partition)
                for partition in await self._log.partitions()
            ]
        )
        self._retained[site] = before
        log.info("retention_ordered", site=site, before=before)

    async def _append(
        self, site: str, visitor: int | None, matching: MatchingRows
    ) -> tuple[int, Mapping[int, int]]:
        if visitor is None:
            shards = await self._log.partitions()
        else:
            shards = [shard_of(site, visitor)]
        for _ in range(_TRIES):
            now = self._clock()
            if matching.newest is not None and matching.newest > now + _MARGIN_MS:
                raise StoreUnavailable(
                    f"{site}: a row was received {(matching.newest - now) // 1000} s from now: the"
                    " clock of a replica is wrong. Set the clocks, and erase after that time"
                )
            until = now + _MARGIN_MS
            ends = await self._log.append(
                [Erasure(site=site, until=until, visitor=visitor, shard=shard) for shard in shards]
            )
            if self._clock() <= until:
                return until, ends
            # It was appended behind hits it does not match, and would split their visits.
        raise StoreUnavailable(
            f"{site}: Kafka is too slow to take the erasure now, and part of it may be left;"
            " ask for it again when Kafka is well"
        )
