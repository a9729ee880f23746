"""Appends a replica's erasure requests to the log; the twin of `journal_erasure` in a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from analytics.errors import NotVisibleYet
from analytics.event import Erasure
from analytics.stream.spool import Spool

_WAIT_S: Final = 10.0


class SpooledErasures:
    """Appends erasure requests to the log, through the spool."""

    def __init__(self, log: Spool) -> None:
        self._log = log

    async def partitions(self) -> Sequence[int]:
        """Return the topic's partitions. Raise `LogUnavailable` while Kafka is away."""
        return [end.partition for _, end in await self._log.ends()]

    async def append(self, orders: Sequence[Erasure]) -> Mapping[int, int]:
        """Append *orders*; return, once Kafka has them, the offset behind them in each partition.

        Raise `LogUnavailable`, or `NotVisibleYet` if they still wait in the spool after 10 s.
        """
        positions = await self._log.append(orders)
        try:
            async with asyncio.timeout(_WAIT_S):
                places = [p for each in positions for p in await self._log.places(each)]
        except TimeoutError:
            raise NotVisibleYet(
                "Kafka is away: the erasure waits in the spool of this replica, and is carried out"
                " when Kafka is back; ask again then, to be sure"
            ) from None
        ends: dict[int, int] = {}
        for place in places:
            ends[place.partition] = max(ends.get(place.partition, 0), place.offset + 1)
        return ends
