"""A chunk stays in the outbox until Cassandra has it, however Ignite loses it on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real import PATIENCE_S, kill

from analytics.errors import StoreUnavailable
from analytics.job.partition import outbox
from analytics.job.partition.state_store import PartitionState
from analytics.localcluster.launcher import LocalCluster
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.settings import Settings
from analytics.store.chunks import chunk, codec
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.chunk import Chunk
from analytics.store.chunks.ignite import IgniteChunks

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

CHUNKS = 1_600
"""More than Ignite remembers to write behind while it can't: beyond that it gives some up."""
PARTITION = 7_002
"""One that no other test uses."""


def chunks(count: int) -> Iterator[Chunk]:
    """As many small ones."""
    line = LedgerLine(received=1, stored=0, duplicate=0, dropped={"bot": 1}, dead=0)
    for offset in range(count):
        span = chunk.RecordSpan(offset, offset, {LedgerKey("a.example", 0): line})
        yield from codec.pack(PARTITION, [span], [], [])


def now() -> int:
    return time.time_ns() // 1_000_000


async def test_what_ignite_gives_up_while_cassandra_is_away_is_written_in_the_end(
    machine: LocalCluster, ignite: Settings, tmp_path: Path
) -> None:
    shared, kept = IgniteChunks(ignite.ignite), CassandraChunks(ignite.cassandra)
    try:
        with PartitionState(tmp_path / "memory.sqlite") as memory:
            memory.put_out([*chunks(CHUNKS)])
            kill(machine, "cassandra")
            assert outbox.send(memory, shared, now()) == CHUNKS
            await machine.up(only=("cassandra",))
            kept_now = 0
            async with asyncio.timeout(PATIENCE_S):
                while memory.unconfirmed():
                    try:
                        outbox.send(memory, shared, now())
                        kept_now += outbox.confirm(memory, shared, kept, now())
                    except StoreUnavailable as exc:
                        print(exc)
                    await asyncio.sleep(1)
        assert kept_now == CHUNKS
    finally:
        shared.close()
        kept.close()
