"""The eraser: goes through a partition's chunks until none has rows that were ordered erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from analytics.event import Erasure
from analytics.job.partition import outbox
from analytics.job.partition.state_store import PartitionState
from analytics.store.chunks.base import ChunkStore, PersistentChunks
from analytics.store.chunks.chunk import Chunk
from analytics.store.chunks.chunk_erasure import rewritten

log = structlog.get_logger()

_AT_ONCE: Final = 16
_OUTBOX_BYTES: Final = 64 << 20
"""So much may wait for Cassandra before more is rewritten."""


class _Walk(NamedTuple):
    """One way through the chunks of a partition."""

    numbers: Sequence[int]
    """Of the orders that are obeyed when it ends."""
    orders: Sequence[Erasure]
    ids: list[str]
    """The chunks not looked at yet, last first."""


class Eraser:
    """For one thread of all the job. What is cut off is begun again: to obey twice is no harm.

    A rewritten chunk takes the way of every chunk, by the outbox, and stays there until Ignite
    and Cassandra have it in the place of what it was. Only then an order is obeyed.
    """

    def __init__(self, shared: ChunkStore, kept: PersistentChunks) -> None:
        self._shared = shared
        self._kept = kept
        self._walks: dict[int, _Walk] = {}

    def step(self, state: PartitionState, partition: int, now: int) -> int:
        """Go on a little way; how many orders are not obeyed yet. Raises `StoreUnavailable`."""
        pending = state.erasures.pending()
        if not pending:
            return 0
        walk = self._walks.get(partition)
        if walk is None:
            walk = self._walks[partition] = self._begin(state, partition, pending)
        while walk.ids and state.outbox_bytes < _OUTBOX_BYTES:
            ids = walk.ids[-_AT_ONCE:]
            chunks = list(self._shared.read(ids))
            there = {each.chunk_id for each in chunks}
            chunks += self._kept.read([each for each in ids if each not in there])
            _rewrite(state, chunks, walk.orders)
            del walk.ids[-_AT_ONCE:]
        outbox.replace(state, self._shared, now)
        if not walk.ids and not state.rewrites:
            del self._walks[partition]
            state.erasures.mark_applied(walk.numbers)
            state.scrub()
            log.info("erased_from_chunks", partition=partition, orders=len(walk.numbers))
        return len(state.erasures.pending())

    def _begin(self, state: PartitionState, partition: int, pending: Sequence[int]) -> _Walk:
        """Rewrite the outbox first: what leaves it from now on is in one of the other two."""
        orders = state.erasures.all()
        after = ""
        while chunks := state.kept(after, _AT_ONCE):
            _rewrite(state, chunks, orders)
            after = chunks[-1].chunk_id
        mine = state.unconfirmed()
        lasting = {head.chunk_id for head in self._kept.heads().get(partition, ())}
        there = {head.chunk_id for head in self._shared.heads(partition)}
        ids = sorted((lasting | there) - mine, reverse=True)
        return _Walk(pending, orders, ids)


def _rewrite(state: PartitionState, chunks: Sequence[Chunk], orders: Sequence[Erasure]) -> None:
    """Put those of *chunks* that change into the outbox."""
    changed = [new for each in chunks if (new := rewritten(each, orders)) is not None]
    if changed:
        state.put_out_rewritten(changed)
