"""Applies pending erasures to every chunk of a partition."""

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
"""No more chunks are rewritten while the outbox is larger than this."""


class _Pass(NamedTuple):
    """Progress of a pass over the chunks of a partition."""

    numbers: Sequence[int]
    """The numbers of the erasures that are applied when the pass ends."""
    erasures: Sequence[Erasure]
    ids: list[str]
    """The chunks still to be searched, in reverse order."""


class Eraser:
    """Erases rows from chunks; only one thread of the whole job may use it.

    A rewritten chunk goes through the outbox as every chunk does, and stays there until it has
    replaced the old version in Ignite and in Cassandra. Only then are the erasures marked as
    applied. After a crash the pass starts again: applying an erasure twice changes nothing.
    """

    def __init__(self, shared: ChunkStore, persistent: PersistentChunks) -> None:
        self._shared = shared
        self._persistent = persistent
        self._passes: dict[int, _Pass] = {}

    def step(self, state: PartitionState, partition: int, now: int) -> int:
        """Rewrite the next chunks of *partition*; return how many erasures are still pending.

        Raises `StoreUnavailable`.
        """
        pending = state.erasures.pending()
        if not pending:
            return 0
        current = self._passes.get(partition)
        if current is None:
            current = self._passes[partition] = self._begin(state, partition, pending)
        while current.ids and state.outbox_bytes < _OUTBOX_BYTES:
            ids = current.ids[-_AT_ONCE:]
            chunks = list(self._shared.read(ids))
            in_ignite = {each.chunk_id for each in chunks}
            chunks += self._persistent.read([each for each in ids if each not in in_ignite])
            _rewrite(state, chunks, current.erasures)
            del current.ids[-_AT_ONCE:]
        outbox.replace(state, self._shared, now)
        if not current.ids and not state.rewrites:
            del self._passes[partition]
            state.erasures.mark_applied(current.numbers)
            state.scrub()
            log.info("erased_from_chunks", partition=partition, orders=len(current.numbers))
        return len(state.erasures.pending())

    def _begin(self, state: PartitionState, partition: int, pending: Sequence[int]) -> _Pass:
        """Rewrite the outbox, and list the chunks outside it that are to be searched.

        The outbox comes first, because chunks leave it for Ignite and Cassandra at any time.
        """
        erasures = state.erasures.all()
        after = ""
        while chunks := state.kept(after, _AT_ONCE):
            _rewrite(state, chunks, erasures)
            after = chunks[-1].chunk_id
        unconfirmed = state.unconfirmed()
        in_cassandra = {head.chunk_id for head in self._persistent.heads().get(partition, ())}
        in_ignite = {head.chunk_id for head in self._shared.heads(partition)}
        ids = sorted((in_cassandra | in_ignite) - unconfirmed, reverse=True)
        return _Pass(pending, erasures, ids)


def _rewrite(state: PartitionState, chunks: Sequence[Chunk], erasures: Sequence[Erasure]) -> None:
    """Apply *erasures* to *chunks*, and put those that change into the outbox."""
    changed = [new for each in chunks if (new := rewritten(each, erasures)) is not None]
    if changed:
        state.put_out_rewritten(changed)
