"""A topic that is deleted and made anew is told from the one that was folded, and gone on with."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from tests.real import PATIENCE_S

from analytics.errors import LogUnavailable
from analytics.event import Hit
from analytics.job.partition import continuity
from analytics.job.partition.batch import LogEntry, process_batch
from analytics.job.partition.continuity import Witness, witnesses_of
from analytics.job.partition.state_directory import StateDirectory
from analytics.pipeline.source import Sources
from analytics.settings import KafkaSettings, Settings
from analytics.store.chunks import codec
from analytics.store.chunks.chunk import Chunk, ChunkHead
from analytics.store.chunks.tiered import TieredChunks
from analytics.stream.base import Position
from analytics.stream.kafka import reader, topic
from analytics.stream.kafka.log import KafkaLog
from analytics.stream.record import decode
from analytics.testing.builders import numbered_hit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

SOURCES = Sources()


class Outbox:
    """Ignite and Cassandra in one: what the memories have to send."""

    def __init__(self, memories: StateDirectory) -> None:
        self._memories = memories

    def following(self, partition: int, offset: int, limit: int) -> list[Chunk]:
        with self._memories.open(partition) as memory:
            chunks = memory.unsent(1000)
        return [each for each in chunks if each.first_offset >= offset][:limit]

    def heads(self) -> Mapping[int, Sequence[ChunkHead]]:
        return {}

    def read(self, ids: Sequence[str]) -> list[Chunk]:
        assert not ids
        return []

    def close(self) -> None:
        pass


class World:
    """A topic, and what was folded of it."""

    def __init__(self, kafka: KafkaSettings, folder: Path) -> None:
        name = f"test.{uuid.uuid4().hex[:8]}"
        self.kafka = kafka.model_copy(update={"topic": name, "partitions": 2})
        self.memories = StateDirectory(folder)
        self.archive = TieredChunks(Outbox(self.memories), Outbox(self.memories))
        self._numbers = iter(range(10_000))

    async def append(self, count: int) -> list[Hit]:
        hits = [numbered_hit(next(self._numbers)) for _ in range(count)]
        async with KafkaLog(self.kafka) as log:
            await log.append(hits)
        return hits

    async def ends(self) -> dict[int, tuple[int, int]]:
        return {
            end.partition: (oldest.offset, end.offset)
            for oldest, end in await reader.ends(self.kafka)
        }

    async def fold(self) -> set[str]:
        """Fold what is new; the events that came of it."""
        found: set[str] = set()
        for partition, (oldest, end) in (await self.ends()).items():
            with self.memories.open(partition) as memory:
                at = memory.next_offset or oldest
                if at == end:
                    continue
                async with aclosing(
                    reader.read(self.kafka, Position(partition, at), limit=end - at)
                ) as batches:
                    async for batch in batches:
                        raws = [LogEntry(at + i, 5, each) for i, each in enumerate(batch.records)]
                        at += len(raws)
                        process_batch(memory, partition, raws, SOURCES)
                        found |= {decode(each.payload).event_id for each in raws}
                        if at >= end:
                            break
        return found

    async def make_anew(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.kafka.bootstrap))
        await admin.start()
        try:
            await admin.delete_topics([self.kafka.topic])
        finally:
            await admin.close()
        async with asyncio.timeout(PATIENCE_S):
            while True:  # it is deleted some time later
                try:
                    await topic.ensure(self.kafka)
                    if all(end == 0 for _, end in (await self.ends()).values()):
                        return
                except LogUnavailable as exc:
                    print(exc)
                await asyncio.sleep(0.5)

    async def breaks(self) -> set[int]:
        return {each.partition for each in await continuity.breaks(self.kafka, self.memories)}

    async def uncounted(self) -> dict[int, range]:
        """What an audit finds."""
        witnesses: dict[int, Sequence[Witness]] = {}
        counted: dict[int, int] = {}
        for partition, (oldest, end) in (await self.ends()).items():
            chunks = Outbox(self.memories).following(partition, 0, 1000)
            contents = [codec.read(each.chunk_id, each.payload) for each in chunks]
            counted[partition] = chunks[-1].last_offset + 1
            kept = range(oldest, end)
            witnesses[partition] = [e for each in contents for e in witnesses_of(each, kept)]
        return dict(await continuity.uncounted(self.kafka, witnesses, counted))


@pytest.fixture
async def world(kafka: Settings, tmp_path: Path) -> World:
    world = World(kafka.kafka, tmp_path)
    await world.append(200)
    await world.fold()
    return world


async def test_a_log_that_goes_on_is_the_same(world: World) -> None:
    assert await world.breaks() == set()
    await world.append(50)
    assert (await world.breaks(), await world.uncounted()) == (set(), {})
    await world.fold()
    assert (await world.breaks(), await world.uncounted()) == (set(), {})


async def test_each_partition_goes_on_where_its_memory_says(world: World) -> None:
    ends = {partition: end for partition, (_, end) in (await world.ends()).items()}
    await world.append(50)
    assert await continuity.begins(world.kafka, world.memories) == ends
    nothing = StateDirectory(world.memories.folder / "lost")
    assert await continuity.begins(world.kafka, nothing) == dict.fromkeys(ends)
    with pytest.raises(LogUnavailable, match="does not tell how far its topic goes"):
        await continuity.begins(world.kafka.model_copy(update={"topic": "other"}), nothing)


@pytest.mark.parametrize("count", [20, 600], ids=["fewer than before", "more than before"])
async def test_a_topic_made_anew_is_noticed_and_all_that_it_has_is_counted(
    world: World, count: int
) -> None:
    before = await world.ends()
    await world.make_anew()
    hits = await world.append(count)
    ends = await world.ends()
    assert await world.breaks() == set(before)
    assert await world.uncounted() == {
        partition: range(min(end, before[partition][1])) for partition, (_, end) in ends.items()
    }
    assert await continuity.adopt(world.kafka, world.memories, world.archive) == count
    assert {p: oldest for p, (oldest, _) in (await world.ends()).items()} == {
        partition: end for partition, (_, end) in before.items()
    }
    assert await world.breaks() == set()
    assert await world.fold() == {each.event_id for each in hits}
    assert (await world.breaks(), await world.uncounted()) == (set(), {})
