"""What was learnt of chunks, for as long as they are there and there is room for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from analytics.job.query.task import ChunkFacts

_MOST_REACHES: Final = 1_000_000
"""A chunk has one for each site with rows in it; about 200 bytes each."""


class KnownChunks(Mapping[str, ChunkFacts]):
    """By the id of a chunk, what need not be read twice. For one thread at a time.

    Chunks come and go: they are merged into larger ones, for as long as the job runs. What has no
    room is what was looked up longest ago, and is read again when it is asked for.
    """

    def __init__(self, most_reaches: int = _MOST_REACHES) -> None:
        self._most_reaches = most_reaches
        self._known: OrderedDict[str, ChunkFacts] = OrderedDict()
        self._reaches = 0
        self._there: dict[int, frozenset[str]] = {}

    def __getitem__(self, chunk_id: str) -> ChunkFacts:
        known = self._known[chunk_id]
        self._known.move_to_end(chunk_id)
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def keep(self, partition: int, ids: Collection[str]) -> None:
        """Forget the chunks of *partition* that were there before and are not among *ids*."""
        now = frozenset(ids)
        for gone in self._there.get(partition, frozenset()) - now:
            self._forget(gone)
        self._there[partition] = now

    def learn(self, partition: int, known: Mapping[str, ChunkFacts]) -> None:
        """Note what was read of chunks of *partition*; those that are gone meanwhile are not."""
        there = self._there.get(partition, frozenset())
        for chunk_id in known.keys() & there:
            self._forget(chunk_id)
            self._known[chunk_id] = known[chunk_id]
            self._reaches += _size(known[chunk_id])
        while self._reaches > self._most_reaches:
            self._forget(next(iter(self._known)))

    def _forget(self, chunk_id: str) -> None:
        known = self._known.pop(chunk_id, None)
        if known is not None:
            self._reaches -= _size(known)


def _size(known: ChunkFacts) -> int:
    return 1 + len(known.sites)
