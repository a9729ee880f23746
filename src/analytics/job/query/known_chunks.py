"""Caches facts about chunks that were read once, with a bound on their number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from analytics.job.query.task import ChunkFacts

_MOST_REACHES: Final = 1_000_000
"""A chunk has one reach for each site with rows in it, of about 200 bytes."""


class KnownChunks(Mapping[str, ChunkFacts]):
    """An LRU cache that maps the id of a chunk to its `ChunkFacts`. For one thread at a time.

    Entries of chunks that no longer exist are dropped by `keep`; beyond the bound, those looked up
    longest ago are dropped.
    """

    def __init__(self, most_reaches: int = _MOST_REACHES) -> None:
        self._most_reaches = most_reaches
        self._facts: OrderedDict[str, ChunkFacts] = OrderedDict()
        self._reaches = 0
        self._existing: dict[int, frozenset[str]] = {}

    def __getitem__(self, chunk_id: str) -> ChunkFacts:
        facts = self._facts[chunk_id]
        self._facts.move_to_end(chunk_id)
        return facts

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def keep(self, partition: int, ids: Collection[str]) -> None:
        """Drop the chunks of *partition* that are not among *ids*, those that exist now."""
        existing = frozenset(ids)
        for chunk_id in self._existing.get(partition, frozenset()) - existing:
            self._forget(chunk_id)
        self._existing[partition] = existing

    def learn(self, partition: int, facts: Mapping[str, ChunkFacts]) -> None:
        """Add the facts about chunks of *partition*, except those that no longer exist."""
        existing = self._existing.get(partition, frozenset())
        for chunk_id in facts.keys() & existing:
            self._forget(chunk_id)
            self._facts[chunk_id] = facts[chunk_id]
            self._reaches += _size(facts[chunk_id])
        while self._reaches > self._most_reaches:
            self._forget(next(iter(self._facts)))

    def _forget(self, chunk_id: str) -> None:
        facts = self._facts.pop(chunk_id, None)
        if facts is not None:
            self._reaches -= _size(facts)


def _size(facts: ChunkFacts) -> int:
    return 1 + len(facts.sites)
