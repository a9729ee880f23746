"""Audits a cluster: every record of the log must be in exactly one chunk, in each tier."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from analytics.admin.auditing import Audited, SiteAudit
from analytics.errors import StoreUnavailable
from analytics.guard import Guard
from analytics.job.partition import continuity
from analytics.job.partition.continuity import Witness, witnesses_of
from analytics.pipeline.ledger import LedgerKey, LedgerLine, add, by_reason
from analytics.settings import Settings
from analytics.store.chunks import chunk, codec
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.chunk import ChunkHead
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.chunks.tiered import TieredChunks
from analytics.stream.kafka import reader

_AT_ONCE: Final = 32


class OffsetRange(NamedTuple):
    """The offsets of one chunk, both inclusive."""

    first: int
    last: int
    chunk_id: str


class CountedChunks(NamedTuple):
    """Totals of the chunks of one partition."""

    ledger: Mapping[LedgerKey, LedgerLine]
    rows: int
    faults: Sequence[str]
    witnesses: Sequence[Witness]
    end: int
    """The offset behind the last record that they cover without gap."""


async def run(
    settings: Settings, *, ignite: Guard | None = None, cassandra: Guard | None = None
) -> Audited:
    """Compare Kafka's offsets with the chunks in Ignite and in Cassandra, and add up the ledger.

    Records appended after the start are ignored. An unreachable Cassandra is reported as a fault;
    raises `Unavailable` if Kafka or Ignite is unreachable.
    """
    ends = {
        end.partition: (oldest.offset, end.offset)
        for oldest, end in await reader.ends(settings.kafka)
    }
    shared = IgniteChunks(settings.ignite, ignite)
    kept = CassandraChunks(settings.cassandra, cassandra)
    audited, counted = await asyncio.to_thread(_compared, shared, kept, ends)
    uncounted = await continuity.uncounted(
        settings.kafka,
        {partition: each.witnesses for partition, each in counted.items()},
        {partition: each.end for partition, each in counted.items()},
    )
    faults = [*audited.faults]
    for partition, offsets in uncounted.items():
        faults.append(
            f"partition {partition}: {len(offsets)} records of the log, {offsets.start} to"
            f" {offsets.stop - 1}, were never counted, as others had these numbers when they were:"
            f" {continuity.WAY_OUT}"
        )
    return msgspec.structs.replace(audited, balanced=not faults, faults=faults)


def _compared(
    shared: IgniteChunks, kept: CassandraChunks, ends: Mapping[int, tuple[int, int]]
) -> tuple[Audited, Mapping[int, CountedChunks]]:
    archive = TieredChunks(shared, kept)
    try:
        faults: list[str] = []
        ledger: dict[LedgerKey, LedgerLine] = {}
        counts: dict[int, CountedChunks] = {}
        on_disk_heads = _persistent_heads(kept, faults)
        for partition, (oldest, end) in sorted(ends.items()):
            places = []
            if on_disk_heads is not None:
                # Chunks evicted from Ignite count as present there: readers get them from disk.
                on_disk = on_disk_heads.get(partition, [])
                places = [
                    ("Ignite", [*{*shared.heads(partition), *on_disk}]),
                    ("Cassandra", on_disk),
                ]
            for where, heads in places:
                spans = [
                    OffsetRange(each.first_offset, each.last_offset, each.chunk_id)
                    for each in heads
                ]
                faults += [
                    f"partition {partition}, in {where}: {fault}"
                    for fault in uncovered(spans, oldest, end)
                ]
            counted = _count(
                shared if on_disk_heads is None else archive, partition, range(oldest, end)
            )
            ledger = add(ledger, counted.ledger)
            faults += counted.faults
            counts[partition] = counted
    finally:
        archive.close()
    return Audited(balanced=not faults, sites=_by_site(ledger), faults=faults), counts


def _persistent_heads(
    kept: CassandraChunks, faults: list[str]
) -> Mapping[int, list[ChunkHead]] | None:
    """Return Cassandra's heads by partition; if it is unreachable, add a fault and return None."""
    try:
        return kept.heads()
    except StoreUnavailable as exc:
        faults.append(
            f"{exc}. Its chunks were not checked; Ignite keeps those that it could not write, and"
            " writes them when Cassandra is back"
        )
        return None


def uncovered(spans: Sequence[OffsetRange], oldest: int, end: int) -> Iterator[str]:
    """Yield a sentence for each gap or overlap in *spans*, which must cover each offset once.

    They must begin no later than *oldest*, the first record that Kafka still has, and end before
    *end*.
    """
    at = min([oldest, *(span.first for span in spans)])
    covered = -1
    for span in sorted(spans, key=lambda each: (each.first, -each.last)):
        if span.last <= covered:
            continue  # merged into a larger chunk, and soon to be removed
        covered = span.last
        if span.first > at:
            yield f"no chunk has the records {at} to {span.first - 1}"
        elif span.first < at:
            yield f"{span.chunk_id} has records before {at}, which another chunk has too"
        at = max(at, span.last + 1)
    if at < end:
        yield f"no chunk has the records {at} to {end - 1}"


def _count(source: IgniteChunks | TieredChunks, partition: int, kept: range) -> CountedChunks:
    ledger: dict[LedgerKey, LedgerLine] = {}
    witnesses: list[Witness] = []
    rows = records = 0
    begun = source.following(partition, 0, 1)
    at = begun[0].first_offset if begun else kept.stop
    while at < kept.stop and (chunks := chunk.chain(source.following(partition, at, _AT_ONCE), at)):
        for each in chunks:
            content = codec.read(each.chunk_id, each.payload)
            ledger = add(ledger, content.ledger)
            witnesses += witnesses_of(content, kept)
            rows += content.table.num_rows
            records += each.last_offset - each.first_offset + 1
        at = chunks[-1].last_offset + 1
    faults = list(_unbalanced(partition, ledger, rows, records))
    return CountedChunks(ledger, rows, faults, witnesses, at)


def _unbalanced(
    partition: int, ledger: Mapping[LedgerKey, LedgerLine], rows: int, records: int
) -> Iterator[str]:
    received = sum(line.received for line in ledger.values())
    stored = sum(line.stored - line.erased for line in ledger.values())
    where = f"partition {partition}, in Ignite"
    if received != records:
        yield f"{where}: chunks of {records} records, and the ledger counts {received}"
    if stored != rows:
        yield f"{where}: the ledger counts {stored} stored rows, the chunks have {rows}"
    for key, line in ledger.items():
        kinds = line.stored + line.duplicate + sum(line.dropped.values()) + line.dead
        if line.received != kinds:
            yield (
                f"{where}, {key.site or 'no site'}, hour {key.hour}: {line.received} received,"
                f" {kinds} accounted for"
            )


def _by_site(ledger: Mapping[LedgerKey, LedgerLine]) -> list[SiteAudit]:
    sites: dict[str, dict[LedgerKey, LedgerLine]] = {}
    for key, line in ledger.items():
        total = LedgerKey(key.site, 0)
        sites[key.site] = add(sites.get(key.site, {}), {total: line})
    return [_site(key.site, line) for each in _sorted(sites.values()) for key, line in each.items()]


def _sorted(
    lines: Iterable[Mapping[LedgerKey, LedgerLine]],
) -> list[Mapping[LedgerKey, LedgerLine]]:
    return sorted(lines, key=lambda each: next(iter(each)).site)


def _site(site: str, line: LedgerLine) -> SiteAudit:
    return SiteAudit(
        site=site,
        received=line.received,
        stored=line.stored,
        duplicate=line.duplicate,
        dropped=by_reason(line.dropped),
        dead=line.dead,
        erased=line.erased,
    )
