"""Selects the chunks that are too old to be kept in Ignite's memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from analytics.store.chunks.chunk import ChunkHead
from analytics.units import DAY_MS


def cold(heads: Iterable[ChunkHead], hot_days: int, now: int) -> list[ChunkHead]:
    """Return those of *heads* whose last record is older than *hot_days* at *now* (UTC ms).

    *heads* are of one partition, in offset order. A chunk's last record is no later than the hour
    in which the next chunk begins, so the newest chunk is never cold. With *hot_days* 0 none is.
    """
    if not hot_days:
        return []
    before = now - hot_days * DAY_MS
    return [each for each, following in pairwise(heads) if max(each.hour, following.hour) < before]
