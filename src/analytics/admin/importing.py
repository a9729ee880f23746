"""The operation that brings in past requests from a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from analytics.admin.job import Job, Progress
from analytics.admin.lines import lines
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed
from analytics.event import Drop, Hit, LogRecord

BATCH: Final = 500
BREATH: Final = 50
"""Lines after which the server gets to answer others."""
SHOWN_LINES: Final = 20


class ImportPast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`import`."""

    format: str
    site: str
    bytes: int = 0
    """The size of the input, for the progress; 0 when nobody knows."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the file: lines = pageviews + sum(dropped) + unreadable."""

    site: str
    lines: int
    pageviews: int
    """Lines that are page views: stored + duplicate."""
    stored: int
    duplicate: int
    """Those that were there already, from an earlier import."""
    bots: int
    """Those page views that machines made; kept, labelled, left out of figures."""
    dropped: dict[str, int]
    unreadable: int
    unreadable_lines: list[int]
    """The numbers of the first of them."""


class _Count:
    """What the lines were, while they are read."""

    def __init__(self) -> None:
        self.bytes = 0
        self.lines = 0
        self.pageviews = 0
        self.bots = 0
        self.dropped: Counter[str] = Counter()
        self.unreadable: list[int] = []
        self.unreadable_total = 0

    def add(self, record: LogRecord | None) -> None:
        match record:
            case Hit():
                self.pageviews += 1
                self.bots += record.bot is not None
            case Drop():
                self.dropped[record.reason] += 1
            case None:
                self.unreadable_total += 1
                if len(self.unreadable) < SHOWN_LINES:
                    self.unreadable.append(self.lines)


async def run(workspace: Workspace, asked: ImportPast, job: Job) -> Imported:
    """Read the input, and return when all of it is in the store.

    Each line's event id depends on the line alone, so what an earlier import brought in, whole
    or in part, is not stored again.
    """
    make = workspace.formats.get(asked.format)
    if make is None:
        known = ", ".join(sorted(workspace.formats))
        raise Malformed("format", f"{asked.format!r} is no format that can be read; {known} can")
    site = workspace.site(asked.site)
    past, count = make(site), _Count()
    await workspace.settle()
    before = await _duplicates(workspace, site.domain)
    batch: list[LogRecord] = []
    async for line in lines(_counted(job.input, count)):
        count.lines += 1
        record = past.read(line)
        count.add(record)
        if record is not None:
            batch.append(record)
        if len(batch) >= BATCH:
            await workspace.log.append(batch)
            batch = []
            job.report(Progress(count.bytes, asked.bytes, f"{count.lines:,} lines"))
        elif count.lines % BREATH == 0:
            await asyncio.sleep(0)
    if batch:
        await workspace.log.append(batch)
    job.report(Progress(count.bytes, asked.bytes, f"{count.lines:,} lines"))
    await workspace.settle()
    # Counted by the ledger: a copy that a visitor's browser sent meanwhile would count here too.
    duplicate = min(await _duplicates(workspace, site.domain) - before, count.pageviews)
    return Imported(
        site=site.domain,
        lines=count.lines,
        pageviews=count.pageviews,
        stored=count.pageviews - duplicate,
        duplicate=duplicate,
        bots=count.bots,
        dropped=dict(sorted(count.dropped.items())),
        unreadable=count.unreadable_total,
        unreadable_lines=count.unreadable,
    )


async def _counted(pieces: AsyncIterator[bytes], count: _Count) -> AsyncIterator[bytes]:
    async for piece in pieces:
        count.bytes += len(piece)
        yield piece


async def _duplicates(workspace: Workspace, site: str) -> int:
    ledger = await workspace.store.ledger(site)
    return sum(line.duplicate for line in ledger.values())
