"""The operation that checks the ledger against the stored rows and the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

import msgspec

from analytics.admin.operation_context import OperationContext, Progress
from analytics.admin.workspace import Workspace
from analytics.errors import Corrupt
from analytics.store.base import LedgerKey, LedgerLine
from analytics.stream.base import EventLog, Position

READ_AT_ONCE = 1000


class Audit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`audit`."""

    site: str | None = None


class SiteAudit(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of one site: received = stored + duplicate + sum(dropped) + dead."""

    site: str
    received: int
    stored: int
    duplicate: int
    dropped: dict[str, int]
    dead: int
    erased: int
    """Stored events that were deleted since."""


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """The result: `balanced`, or else a sentence for each fault."""

    balanced: bool
    sites: list[SiteAudit]
    faults: list[str]
    waiting: int = 0
    """Hits acknowledged during the count: they are in the log but not in these totals."""


async def run(workspace: Workspace, request: Audit, job: OperationContext) -> Audited:
    """Count while nothing is written to the store, so that every number must be exact."""
    site = None if request.site is None else workspace.site(request.site).domain
    await workspace.settle()
    # Paused, so that no record of the log is deleted while it is read.
    async with workspace.paused():
        ledger = await workspace.store.ledger(site)
        faults = [*_unequal(ledger, await workspace.store.recount(site))]
        offsets = await workspace.store.offsets()
        ends = {end.partition: end.offset for _, end in await workspace.log.ends()}
        waiting = sum(max(0, end - offsets.get(at, 0)) for at, end in ends.items())
        if site is None:
            faults += _uncounted(ledger, offsets)
            faults += [fault async for fault in _unreadable(workspace.log, offsets, job)]
            for audit in workspace.audits:
                faults += await audit()
    return Audited(balanced=not faults, sites=_by_site(ledger), faults=faults, waiting=waiting)


def _unequal(
    ledger: Mapping[LedgerKey, LedgerLine], rows: Mapping[LedgerKey, int]
) -> Sequence[str]:
    faults = []
    for key in sorted({*ledger, *rows}):
        line = ledger.get(key, LedgerLine(0, 0, 0, {}, 0))
        where = f"{key.site or 'no site'}, hour {key.hour}"
        kinds = line.stored + line.duplicate + sum(line.dropped.values()) + line.dead
        if line.received != kinds:
            faults.append(f"{where}: {line.received} received, {kinds} accounted for")
        if line.stored - line.erased != rows.get(key, 0):
            faults.append(
                f"{where}: the ledger says {line.stored - line.erased} rows are stored, "
                f"{rows.get(key, 0)} are there"
            )
    return faults


def _uncounted(ledger: Mapping[LedgerKey, LedgerLine], offsets: Mapping[int, int]) -> Sequence[str]:
    received, read = sum(line.received for line in ledger.values()), sum(offsets.values())
    if received == read:
        return []
    return [f"the ledger counts {received} received, and {read} records of the log were read"]


async def _unreadable(
    log: EventLog, offsets: Mapping[int, int], job: OperationContext
) -> AsyncIterator[str]:
    """Yield a sentence for each fault of the log, read from its oldest record to its newest."""
    for oldest, end in await log.ends():
        read_next = offsets.get(oldest.partition, 0)
        if not oldest.offset <= read_next <= end.offset:
            yield (
                f"partition {oldest.partition}: the store reads on at {read_next}, and the log "
                f"holds {oldest.offset} to {end.offset}"
            )
        try:
            if oldest.offset < end.offset:
                await _read_all(log, oldest, end, job)
        except Corrupt as exc:
            yield f"partition {oldest.partition}: {exc}"


async def _read_all(log: EventLog, oldest: Position, end: Position, job: OperationContext) -> None:
    async with aclosing(log.read(oldest, limit=READ_AT_ONCE)) as batches:
        async for batch in batches:
            at = batch.end.offset
            job.report(Progress(at - oldest.offset, end.offset - oldest.offset, "log records"))
            if at >= end.offset:
                return


def _by_site(ledger: Mapping[LedgerKey, LedgerLine]) -> list[SiteAudit]:
    lines: dict[str, list[LedgerLine]] = {}
    for key, line in ledger.items():
        lines.setdefault(key.site, []).append(line)
    return [_total(site, lines[site]) for site in sorted(lines)]


def _total(site: str, lines: Sequence[LedgerLine]) -> SiteAudit:
    reasons = sorted({reason for line in lines for reason in line.dropped})
    return SiteAudit(
        site=site,
        received=sum(line.received for line in lines),
        stored=sum(line.stored for line in lines),
        duplicate=sum(line.duplicate for line in lines),
        dropped={reason: sum(line.dropped.get(reason, 0) for line in lines) for reason in reasons},
        dead=sum(line.dead for line in lines),
        erased=sum(line.erased for line in lines),
    )
