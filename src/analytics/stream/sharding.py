"""The partition of a log in which a record lies."""

from __future__ import annotations

from analytics.event import SHARDS, Erasure, Hit, LogRecord, hash64, shard_of


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
