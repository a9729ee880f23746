"""Detects a topic that was deleted and created again, and adopts it.

The records of such a topic have offsets that were processed before, so they would be skipped.
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
    """A partition whose log does not continue where processing stopped."""

    partition: int
    folded: int
    """The offset of the first unprocessed record."""
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


async def breaks(kafka: KafkaSettings, states: StateDirectory) -> Sequence[Break]:
    """Return the partitions whose log does not continue where processing stopped.

    Raises `LogUnavailable`, `StoreUnavailable`.
    """
    marks = dict(_marks(states))
    ends = {end.partition: (oldest.offset, end.offset) for oldest, end in await reader.ends(kafka)}
    lasts = [Position(partition, folded - 1) for partition, (folded, _) in marks.items()]
    records = await reader.records_at(kafka, [each for each in lasts if each.partition in ends])
    broken = []
    for last in lasts:
        folded, mark = marks[last.partition]
        oldest, end = ends.get(last.partition, (0, 0))
        record = records.get(last)
        other = record is not None and mark is not None and fingerprint(record.payload) != mark
        if end < folded or other:
            broken.append(Break(last.partition, folded, oldest, end, last.partition in ends))
    return broken


def _marks(states: StateDirectory) -> Iterator[tuple[int, tuple[int, bytes | None]]]:
    """Yield (partition, (first unprocessed offset, fingerprint of the last processed record))."""
    for partition in states.partitions():
        with states.open(partition) as state:
            if folded := state.next_offset:
                yield partition, (folded, state.fingerprint)


async def begins(kafka: KafkaSettings, states: StateDirectory) -> Mapping[int, int | None]:
    """Map each partition of the topic to the offset to start at; None for the oldest record.

    Raises `LogUnavailable`, also if the topic does not exist yet.
    """
    folded = states.next_offsets()
    starts: dict[int, int | None] = {}
    for oldest, _ in await reader.ends(kafka):
        first = folded.get(oldest.partition, 0)
        # If the log no longer has the next record, processing fails and reports the gap.
        starts[oldest.partition] = first if first >= oldest.offset and first else None
    return starts


def message(breaks: Sequence[Break]) -> str:
    """Return a message for the operator about *breaks* (at least one) and the way out."""
    rest = f", and {len(breaks) - 1} more partitions likewise" if len(breaks) > 1 else ""
    return f"Nothing is folded: {breaks[0]}{rest}; {WAY_OUT}"


class Witness(NamedTuple):
    """A sample row: the event that was at an offset of the log when it was processed."""

    offset: int
    event_id: str


def witnesses_of(content: ChunkContent, kept: range) -> list[Witness]:
    """Return the first and the last row of a chunk, of those with offsets in *kept*."""
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
    """Map each affected partition to the offsets at which the log has other events than the chunks.

    *witnesses* maps a partition to samples of its consecutive chunks, in offset order; *counted*
    maps it to the offset behind them. Raises `LogUnavailable`.
    """
    ends = {
        end.partition: range(oldest.offset, min(end.offset, counted.get(end.partition, 0)))
        for oldest, end in await reader.ends(kafka)
    }
    witnessed = {
        partition: [each for each in of if each.offset in ends[partition]]
        for partition, of in witnesses.items()
        if partition in ends
    }
    sampled = {
        partition: sorted({at * (len(of) - 1) // (_SAMPLES - 1) for at in range(_SAMPLES)})
        for partition, of in witnessed.items()
        if of
    }
    same = await _same(
        kafka,
        {
            Position(p, witnessed[p][i].offset): witnessed[p][i]
            for p, of in sampled.items()
            for i in of
        },
    )
    differing: dict[int, range] = {}
    for partition, indexes in sampled.items():
        of = witnessed[partition]
        wrong = [i for i in indexes if not same[Position(partition, of[i].offset)]]
        if wrong:
            differing[partition] = await _extent(
                kafka, partition, of, wrong, indexes, ends[partition]
            )
    return differing


async def _extent(
    kafka: KafkaSettings,
    partition: int,
    witnesses: Sequence[Witness],
    wrong: Sequence[int],
    sampled: Sequence[int],
    kept: range,
) -> range:
    """Return the offsets, within *kept*, at which the log differs from the chunks."""

    async def is_same(index: int) -> bool:
        position = Position(partition, witnesses[index].offset)
        return (await _same(kafka, {position: witnesses[index]}))[position]

    # Bisect between a sample that matches and the next one that does not.
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


async def _same(
    kafka: KafkaSettings, witnesses: Mapping[Position, Witness]
) -> Mapping[Position, bool]:
    """Map each position to whether the log still has the event that was counted there.

    A record that Kafka has deleted since counts as the same.
    """
    records = await reader.records_at(kafka, witnesses)
    return {
        position: position not in records
        or _event_id(records[position].payload) == witness.event_id
        for position, witness in witnesses.items()
    }


def _event_id(payload: bytes) -> str | None:
    try:
        record = decode(payload)
    except Corrupt:
        return None
    return record.event_id if isinstance(record, Hit) else None


async def adopt(kafka: KafkaSettings, states: StateDirectory, archive: TieredChunks) -> int:
    """Adopt a topic that was created again; return how many of its records are yet to be counted.

    Records at offsets that were processed before are appended again behind these offsets, and
    deleted where they are. Raises `LogUnavailable`, `StoreUnavailable`, and `Misconfigured` if the
    topic has too few partitions. Repeating a call that failed is safe.
    """
    adopted = 0
    recreated = await breaks(kafka, states)
    if missing := [each.partition for each in recreated if not each.exists]:
        raise Misconfigured(
            f"{kafka.topic} has no partition {missing[0]}, which was folded: give it"
            f" {max(missing) + 1} partitions at least, and try again"
        )
    for each in recreated:
        await recreated_topic.lengthen(kafka, Position(each.partition, each.folded))
        kept = range(each.oldest, each.folded)
        witnesses = _witnesses(archive, each.partition, kept)
        differing = await uncounted(
            kafka, {each.partition: witnesses}, {each.partition: each.folded}
        )
        # With no sample that differs, repeat from the oldest: duplicates are counted once.
        first = differing[each.partition].start if differing else each.oldest
        repeated = await recreated_topic.repeat(kafka, Position(each.partition, first), each.folded)
        await recreated_topic.forget(kafka, Position(each.partition, each.folded))
        with states.open(each.partition) as state, state.transaction():
            state.advance(each.folded)
        log.warning("topic_adopted", partition=each.partition, repeated=repeated)
        adopted += repeated + max(0, each.end - each.folded)
    return adopted


def _witnesses(archive: TieredChunks, partition: int, kept: range) -> Sequence[Witness]:
    witnesses: list[Witness] = []
    at: int | None = None
    while chunks := chunk.chain(archive.following(partition, at or 0, _AT_ONCE), at):
        for each in chunks:
            witnesses += witnesses_of(codec.read(each.chunk_id, each.payload), kept)
        at = chunks[-1].last_offset + 1
    return witnesses
