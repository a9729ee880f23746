"""Compare the log with what was folded of it: a topic can be deleted and made anew.

Then its records have offsets under which others were folded, and would be skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from analytics.errors import Corrupt, Misconfigured
from analytics.event import Hit
from analytics.job.partition.state_directory import StateDirectory
from analytics.settings import KafkaSettings
from analytics.store.chunks import chunk, codec
from analytics.store.chunks.chunk import ChunkContent
from analytics.store.chunks.tiered import TieredChunks
from analytics.stream.base import Position
from analytics.stream.kafka import reader, recreated_topic
from analytics.stream.record import decode, fingerprint

log = structlog.get_logger()

_SAMPLES: Final = 16
_AT_ONCE: Final = 32
WAY_OUT: Final = (
    "the topic was deleted and made anew, or has lost its end. To count what it has, end the job,"
    " run `analytics spark-job --adopt-topic` with its settings, and start it again"
)


class Break(NamedTuple):
    """A partition whose log does not go on where it was folded to."""

    partition: int
    folded: int
    """Everything before this offset was folded."""
    oldest: int
    end: int
    exists: bool = True

    def __str__(self) -> str:
        if not self.exists:
            return f"partition {self.partition} is missing, and was folded"
        if self.end < self.folded:
            return (
                f"partition {self.partition} ends before record {self.end}, and was folded up to"
                f" record {self.folded - 1}"
            )
        return f"record {self.folded - 1} of partition {self.partition} is not the one folded"


async def breaks(kafka: KafkaSettings, memories: StateDirectory) -> Sequence[Break]:
    """The partitions that do not go on where they were folded to. Raises `LogUnavailable`."""
    marks = dict(_marks(memories))
    ends = {end.partition: (oldest.offset, end.offset) for oldest, end in await reader.ends(kafka)}
    lasts = [Position(partition, folded - 1) for partition, (folded, _) in marks.items()]
    there = await reader.records_at(kafka, [each for each in lasts if each.partition in ends])
    found = []
    for last in lasts:
        folded, mark = marks[last.partition]
        oldest, end = ends.get(last.partition, (0, 0))
        record = there.get(last)
        other = record is not None and mark is not None and fingerprint(record.payload) != mark
        if end < folded or other:
            found.append(Break(last.partition, folded, oldest, end, last.partition in ends))
    return found


def _marks(memories: StateDirectory) -> Iterator[tuple[int, tuple[int, bytes | None]]]:
    """For each partition, how far it was folded, and the fingerprint of the last record."""
    for partition in memories.partitions():
        with memories.open(partition) as memory:
            if folded := memory.next_offset:
                yield partition, (folded, memory.fingerprint)


async def begins(kafka: KafkaSettings, memories: StateDirectory) -> Mapping[int, int | None]:
    """Return for each partition of the topic the offset to go on with; None for the oldest.

    Raises `LogUnavailable`, also while there is no topic.
    """
    folded = memories.next_offsets()
    found: dict[int, int | None] = {}
    for oldest, _ in await reader.ends(kafka):
        first = folded.get(oldest.partition, 0)
        # Where the log has forgotten what comes next, the fold says so.
        found[oldest.partition] = first if first >= oldest.offset and first else None
    return found


def said(found: Sequence[Break]) -> str:
    """Return the message about *found* for an operator."""
    rest = f", and {len(found) - 1} more partitions likewise" if len(found) > 1 else ""
    return f"Nothing is folded: {found[0]}{rest}; {WAY_OUT}"


class Witness(NamedTuple):
    """A row that was counted: which event was at an offset of the log."""

    offset: int
    event_id: str


def witnesses_of(content: ChunkContent, kept: range) -> list[Witness]:
    """The first and the last row of a chunk, of those whose records are in *kept*."""
    offsets = [each for each in content.table["log_offset"].to_pylist() if each in kept]
    if not offsets:
        return []
    ids = dict(
        zip(
            content.table["log_offset"].to_pylist(),
            content.table["event_id"].to_pylist(),
            strict=True,
        )
    )
    return [Witness(each, ids[each]) for each in sorted({min(offsets), max(offsets)})]


async def uncounted(
    kafka: KafkaSettings, witnesses: Mapping[int, Sequence[Witness]], counted: Mapping[int, int]
) -> Mapping[int, range]:
    """For each partition, the offsets at which the log has others than those that were counted.

    *witnesses* are of consecutive chunks, in order, which end before the offsets *counted*.
    Raises `LogUnavailable`.
    """
    ends = {
        end.partition: range(oldest.offset, min(end.offset, counted.get(end.partition, 0)))
        for oldest, end in await reader.ends(kafka)
    }
    known = {
        partition: [each for each in of if each.offset in ends[partition]]
        for partition, of in witnesses.items()
        if partition in ends
    }
    sampled = {
        partition: sorted({at * (len(of) - 1) // (_SAMPLES - 1) for at in range(_SAMPLES)})
        for partition, of in known.items()
        if of
    }
    same = await _same(
        kafka,
        {Position(p, known[p][i].offset): known[p][i] for p, of in sampled.items() for i in of},
    )
    found: dict[int, range] = {}
    for partition, indexes in sampled.items():
        of = known[partition]
        wrong = [i for i in indexes if not same[Position(partition, of[i].offset)]]
        if wrong:
            found[partition] = await _extent(kafka, partition, of, wrong, indexes, ends[partition])
    return found


async def _extent(
    kafka: KafkaSettings,
    partition: int,
    witnesses: Sequence[Witness],
    wrong: Sequence[int],
    sampled: Sequence[int],
    kept: range,
) -> range:
    """From which offset to which the log differs, within its *kept* records."""

    async def is_same(index: int) -> bool:
        position = Position(partition, witnesses[index].offset)
        return (await _same(kafka, {position: witnesses[index]}))[position]

    # Between a sample that is the same and the next that is not, halve.
    low = max((i for i in sampled if i < wrong[0]), default=-1)
    high = wrong[0]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await is_same(middle) else (low, middle)
    first = witnesses[low].offset + 1 if low >= 0 else kept.start
    low = wrong[-1]
    high = min((i for i in sampled if i > wrong[-1]), default=len(witnesses))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if await is_same(middle) else (middle, high)
    return range(first, witnesses[high].offset if high < len(witnesses) else kept.stop)


async def _same(kafka: KafkaSettings, asked: Mapping[Position, Witness]) -> Mapping[Position, bool]:
    """Return for each position whether the log has the event that was counted there.

    A record that Kafka has deleted since does not differ.
    """
    records = await reader.records_at(kafka, asked)
    return {
        position: position not in records
        or _event_id(records[position].payload) == witness.event_id
        for position, witness in asked.items()
    }


def _event_id(payload: bytes) -> str | None:
    try:
        record = decode(payload)
    except Corrupt:
        return None
    return record.event_id if isinstance(record, Hit) else None


async def adopt(kafka: KafkaSettings, memories: StateDirectory, archive: TieredChunks) -> int:
    """Let the log go on where it was folded to; return how many records are yet to be counted.

    Those that lie under offsets of others are appended once more behind them, and deleted where
    they lie. Raises `LogUnavailable`, `StoreUnavailable`; to begin again is always right.
    """
    adopted = 0
    found = await breaks(kafka, memories)
    if missing := [each.partition for each in found if not each.exists]:
        raise Misconfigured(
            f"{kafka.topic} has no partition {missing[0]}, which was folded: give it"
            f" {max(missing) + 1} partitions at least, and try again"
        )
    for each in found:
        await recreated_topic.lengthen(kafka, Position(each.partition, each.folded))
        kept = range(each.oldest, each.folded)
        witnesses = _witnesses(archive, each.partition, kept)
        differing = await uncounted(
            kafka, {each.partition: witnesses}, {each.partition: each.folded}
        )
        # Where nothing tells, from its beginning: what is appended twice is counted once.
        first = differing[each.partition].start if differing else each.oldest
        repeated = await recreated_topic.repeat(kafka, Position(each.partition, first), each.folded)
        await recreated_topic.forget(kafka, Position(each.partition, each.folded))
        with memories.open(each.partition) as memory, memory.transaction():
            memory.advance(each.folded)
        log.warning("topic_adopted", partition=each.partition, repeated=repeated)
        adopted += repeated + max(0, each.end - each.folded)
    return adopted


def _witnesses(archive: TieredChunks, partition: int, kept: range) -> Sequence[Witness]:
    found: list[Witness] = []
    at: int | None = None
    while chunks := chunk.chain(archive.following(partition, at or 0, _AT_ONCE), at):
        for each in chunks:
            found += witnesses_of(codec.read(each.chunk_id, each.payload), kept)
        at = chunks[-1].last_offset + 1
    return found
