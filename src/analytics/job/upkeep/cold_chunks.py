"""Cooling: which chunks are so old that they need not be in Ignite's memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from analytics.store.chunks.chunk import ChunkHead

DAY_MS: Final = 86_400_000


def cold(heads: Iterable[ChunkHead], hot_days: int, now: int) -> list[ChunkHead]:
    """Those of *heads*, which are of one partition, in order, whose last record is older.

    A chunk is no older than the one that follows it: that began later. With *hot_days* 0 none is.
    """
    if not hot_days:
        return []
    before = now - hot_days * DAY_MS
    return [each for each, following in pairwise(heads) if max(each.hour, following.hour) < before]
