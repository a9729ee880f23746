"""How rows are erased in a cluster: an order goes into the log, and everybody obeys it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import structlog

from analytics.errors import NotVisibleYet, StoreUnavailable
from analytics.event import Erasure, shard_of
from analytics.store.duckdb.row_erasure import MatchingRows

log = structlog.get_logger()

_MARGIN_MS: Final = 2_000
"""An order concerns what is received until then; so it must lie in the log by then, or whatever
is received meanwhile would be erased in part."""
_TRIES: Final = 5
_WAIT_S: Final = 60.0


class ErasureLog(Protocol):
    """The log, as far as orders need it."""

    async def partitions(self) -> Sequence[int]:
        """Its partitions. Raises `LogUnavailable` while it is away."""

    async def append(self, orders: Sequence[Erasure]) -> Mapping[int, int]:
        """Return when *orders* lie in it: for each partition, where they end.

        Raises `LogUnavailable`, or `NotVisibleYet` for those that lie in a spool until it is back.
        """


class ErasableEngine(Protocol):
    """The replica's own engine."""

    async def matching(self, site: str, visitor: int | None) -> MatchingRows:
        """The rows of a visitor (None: of everybody) of a site, counted."""

    async def retention_due(self, site: str, before_ms: int) -> int | None:
        """Where the site's figures would begin after retention; None if they do already."""


class ReplicaErasure:
    """Gives orders, and waits until this replica has obeyed them."""

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
        """Return when the rows are gone from this replica; how many there were.

        Raises `Unavailable` when that can't be said: then its text says what becomes of them.
        """
        found = await self._engine.matching(site, visitor)
        until, ends = await self._order(site, visitor, found)
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._reached(ends)
        except TimeoutError:
            raise NotVisibleYet(
                f"{site}: the erasure is in the log, and will be carried out; this server has not"
                " come to it yet. See whether the stream job runs and Ignite answers; nothing need"
                " be asked again"
            ) from None
        # Whatever comes from now on is not concerned.
        await asyncio.sleep(max(0, until + 1 - self._clock()) / 1000)
        return found.rows

    async def retain(self, site: str, before_ms: int) -> None:
        """Order what retention asks for, if that was not done; it is obeyed in its time."""
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

    async def _order(
        self, site: str, visitor: int | None, found: MatchingRows
    ) -> tuple[int, Mapping[int, int]]:
        if visitor is None:
            shards = await self._log.partitions()
        else:
            shards = [shard_of(site, visitor)]
        for _ in range(_TRIES):
            now = self._clock()
            if found.newest is not None and found.newest > now + _MARGIN_MS:
                raise StoreUnavailable(
                    f"{site}: a row was received {(found.newest - now) // 1000} s from now: the"
                    " clock of a replica is wrong. Set the clocks, and erase after that time"
                )
            until = now + _MARGIN_MS
            ends = await self._log.append(
                [Erasure(site=site, until=until, visitor=visitor, shard=shard) for shard in shards]
            )
            if self._clock() <= until:
                return until, ends
            # It lies behind hits that it does not concern, and would cut their visits in two.
        raise StoreUnavailable(
            f"{site}: Kafka is too slow to take the erasure now, and part of it may be left;"
            " ask for it again when Kafka is well"
        )
