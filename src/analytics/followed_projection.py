"""Waits until what a replica copies of the stream job's work has reached a position in the log.

The twin of `projector` in a cluster, where the job processes the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from analytics.errors import LogUnavailable, NotVisibleYet
from analytics.store.replica.store import ReplicaStore
from analytics.stream.base import Position, unknown_receipt
from analytics.stream.spool import Spool

_WAIT_S: Final = 10.0
_STANDS_STILL_S: Final = 60.0


class FollowedProjection:
    """Waits for figures that the Spark job computes and this replica follows."""

    def __init__(self, log: Spool, store: ReplicaStore) -> None:
        self._log = log
        self._follower = store.follower

    @property
    def fault(self) -> str | None:
        """The reason why this replica cannot follow the chunks; None while it can."""
        return self._follower.fault

    async def visible(self, receipts: str) -> None:
        """Return when every record of *receipts* (by comma) is in the figures.

        Raise `Malformed` for a receipt that this log did not issue, and `NotVisibleYet` after 10 s.
        """
        positions = [Position.parse(receipt) for receipt in receipts.split(",")]
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._refuse_unknown(positions)
                for position in positions:
                    for place in await self._log.places(position):
                        await self._follower.reached({place.partition: place.offset + 1})
        except TimeoutError:
            raise NotVisibleYet(
                "the event is durable, and not in the figures yet; ask again in a moment"
            ) from None

    async def _refuse_unknown(self, positions: Sequence[Position]) -> None:
        """Raise `Malformed` for a position at which nothing was appended.

        Return without a check while Kafka is away, so that the caller waits.
        """
        here = self._follower.next_offsets
        ahead = [each for each in positions if each.offset >= here.get(each.partition, 0)]
        with suppress(LogUnavailable):
            if ahead and not await self._log.holds(ahead):
                raise unknown_receipt()

    async def settle(self) -> None:
        """Return when everything that the log holds at the call is in the figures.

        Raise `LogUnavailable` while Kafka is away, `NotVisibleYet` after a minute without progress.
        """
        try:
            ends = {end.partition: end.offset for _, end in await self._log.ends()}
        except LogUnavailable as exc:
            raise LogUnavailable(
                f"nobody can say what is still to come ({exc}), and nothing was done: ask again"
                " when Kafka is back"
            ) from exc
        before: Mapping[int, int] | None = None
        while before != self._follower.next_offsets:
            before = dict(self._follower.next_offsets)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STANDS_STILL_S):
                    return await self._follower.reached(ends)
        raise NotVisibleYet(
            "the figures lack what is in the log, and stand still: see whether the Spark job runs"
            f" and Ignite answers{f' ({self.fault})' if self.fault else ''}, then ask again"
        )

    def changes(self) -> AsyncIterator[None]:
        """Yield whenever rows have come since the last time."""
        return self._follower.changes()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Hold back writes to the store while the block runs."""
        async with self._follower.stepping:
            yield
