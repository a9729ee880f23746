"""The operation that imports past requests from a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from analytics import localtime
from analytics.admin.line_reader import lines
from analytics.admin.operation_context import OperationContext, Progress
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed
from analytics.event import NO_USER_AGENT, Drop, Hit, LogRecord

BATCH: Final = 500
BREATH: Final = 50
"""The number of lines after which other requests get a turn."""
SHOWN_LINES: Final = 20
SHOWN_CHARACTERS: Final = 300
SHOWN_REASONS: Final = 20
OTHER_REASONS: Final = "for another reason"


class ImportPast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`import`."""

    format: str
    site: str
    bytes: int = 0
    """The size of the input, for progress reports; 0 if unknown."""


class UnreadableLine(msgspec.Struct, frozen=True, kw_only=True):
    """The first line that could not be read for one reason."""

    because: str
    number: int
    text: str
    """The line without control characters, cut at `SHOWN_CHARACTERS`."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The result: lines = pageviews + sum(dropped) + unreadable."""

    site: str
    lines: int
    pageviews: int
    """Page views: stored + duplicate."""
    stored: int
    duplicate: int
    """Page views already stored by an earlier import."""
    bots: int
    """Page views of bots: stored and labelled, but left out of figures."""
    without_user_agent: int
    """Page views of bots that have no user agent."""
    days_of_sums: int = 0
    """Days of page views that imported sums of other products have, too: they count twice."""
    days_of_sums_only: int = 0
    """Days after the first of these page views that those imports have, and this log lacks."""
    first_day_of_people: str = ""
    """With `days_of_sums`, the first day of these page views, in the site's time zone."""
    dropped: dict[str, int]
    unreadable: int
    unreadable_lines: list[int]
    """The numbers of the first unreadable lines, at most `SHOWN_LINES`."""
    unreadable_because: dict[str, int]
    unreadable_examples: list[UnreadableLine]
    """The first unreadable line for each reason, in the order of the file."""
    first_unreadable: str
    """The first unreadable line, as in `unreadable_examples`."""


class _Count:
    """Counts of the lines read so far."""

    def __init__(self, timezone: str) -> None:
        self._timezone = timezone
        self.days: set[int] = set()
        """Of page views of people, in the site's time zone."""
        self.bytes = 0
        self.lines = 0
        self.pageviews = 0
        self.bots = 0
        self.without_user_agent = 0
        self.dropped: Counter[str] = Counter()
        self.unreadable: list[int] = []
        self.unreadable_because: Counter[str] = Counter()
        self.examples: list[UnreadableLine] = []

    def add(self, record: LogRecord) -> None:
        match record:
            case Hit():
                self.pageviews += 1
                self.bots += record.bot is not None
                if record.bot is None:
                    self.days.add(localtime.day_of(self._timezone, record.ts))
                self.without_user_agent += record.bot == NO_USER_AGENT
            case Drop():
                self.dropped[record.reason] += 1

    def add_unreadable(self, line: bytes, why: str) -> None:
        if len(self.unreadable) < SHOWN_LINES:
            self.unreadable.append(self.lines)
        # Some reasons quote the line, so there may be as many of them as lines.
        is_shown = why in self.unreadable_because or len(self.unreadable_because) < SHOWN_REASONS
        reason = why if is_shown else OTHER_REASONS
        if reason not in self.unreadable_because:
            example = UnreadableLine(because=reason, number=self.lines, text=_shown(line))
            self.examples.append(example)
        self.unreadable_because[reason] += 1


async def run(workspace: Workspace, request: ImportPast, job: OperationContext) -> Imported:
    """Import the input, and return when all of it is in the store.

    A line's event id depends on nothing but the line, so lines that an earlier import has stored,
    even if it was interrupted, are not stored again. Raise `Malformed` for an unknown format.
    """
    make = workspace.formats.get(request.format)
    if make is None:
        names = ", ".join(sorted(workspace.formats))
        raise Malformed(
            "format", f"{request.format!r} is not a format that can be read; {names} can"
        )
    site = workspace.site(request.site)
    past, count = make(site), _Count(site.timezone)
    await workspace.settle()
    before = await _duplicates(workspace, site.domain)
    batch: list[LogRecord] = []
    async for line in lines(_counted(job.input, count)):
        count.lines += 1
        try:
            record = await past.read(line)
        except Malformed as exc:
            count.add_unreadable(line, str(exc))
        else:
            count.add(record)
            batch.append(record)
        if len(batch) >= BATCH:
            await workspace.log.append(batch)
            batch = []
            job.report(Progress(count.bytes, request.bytes, f"{count.lines:,} lines"))
        elif count.lines % BREATH == 0:
            await asyncio.sleep(0)
    if batch:
        await workspace.log.append(batch)
    job.report(Progress(count.bytes, request.bytes, f"{count.lines:,} lines"))
    await workspace.settle()
    # Counted by the ledger: a copy that a visitor's browser sent meanwhile would count here too.
    duplicate = min(await _duplicates(workspace, site.domain) - before, count.pageviews)
    imports = await workspace.store.imports(site.domain)
    first = min(count.days, default=None)
    of_sums = {
        day
        for each in imports
        if first is not None
        for day in range(max(each.first_day, first), each.last_day + 1)
    }
    return Imported(
        site=site.domain,
        days_of_sums=len(of_sums & count.days),
        days_of_sums_only=len(of_sums - count.days),
        first_day_of_people=(
            "" if first is None or not of_sums else localtime.date_of(first).isoformat()
        ),
        lines=count.lines,
        pageviews=count.pageviews,
        stored=count.pageviews - duplicate,
        duplicate=duplicate,
        bots=count.bots,
        without_user_agent=count.without_user_agent,
        dropped=dict(sorted(count.dropped.items())),
        unreadable=count.unreadable_because.total(),
        unreadable_lines=count.unreadable,
        unreadable_because=dict(count.unreadable_because.most_common()),
        unreadable_examples=count.examples,
        first_unreadable=count.examples[0].text if count.examples else "",
    )


def _shown(line: bytes) -> str:
    text = line[:SHOWN_CHARACTERS].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


async def _counted(pieces: AsyncIterator[bytes], count: _Count) -> AsyncIterator[bytes]:
    async for piece in pieces:
        count.bytes += len(piece)
        yield piece


async def _duplicates(workspace: Workspace, site: str) -> int:
    ledger = await workspace.store.ledger(site)
    return sum(line.duplicate for line in ledger.values())
