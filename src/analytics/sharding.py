"""Assigns events to virtual shards, and shards to the partitions of a log."""

from __future__ import annotations

from typing import Final

from analytics.event import Erasure, Hit, LogRecord
from analytics.stable_hash import hash64

SHARDS: Final = 64


def shard_of(site: str, visitor: int) -> int:
    """Return the virtual shard, 0 to 63, of all events of a visitor of *site*."""
    return hash64(site, visitor.to_bytes(8, "little")) % SHARDS


def partition_of(record: LogRecord, partitions: int) -> int:
    """Return the partition, of *partitions*, that *record* belongs to.

    All hits of a visitor go to one, so that they keep their order. A counted drop has no
    visitor: those of a site go together.
    """
    if type(record) is Hit:
        return shard_of(record.site, record.visitor) % partitions
    if type(record) is Erasure:
        return record.shard % partitions
    return hash64(record.site) % SHARDS % partitions
