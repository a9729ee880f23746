"""The upkeep of a running server: cells, retention, compaction, audit log, salts of each day.

Each duty is a background loop of its own, so that a failure of one does not stop the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog

from analytics.background import BackgroundLoop, is_expected
from analytics.ingest.salted_days import salts_needed
from analytics.resources import Resources
from analytics.scheduled_export.schedule import ScheduledExport
from analytics.units import DAY_MS

log = structlog.get_logger()

_EVERY_S: Final = 20.0
_LONGEST_PAUSE_S: Final = 300.0
_RESTS_FOR: Final = 20
"""The pause after a compaction, as a multiple of its duration."""


def duties(parts: Resources) -> Sequence[BackgroundLoop]:
    """Return the maintenance loops of *parts*; each runs while its `async with` block does."""
    export = parts.scheduled_export
    exporting = () if export is None else (exports(export),)
    # Cells that are built while their days are deleted would come back without them.
    rows = asyncio.Lock()
    return (
        BackgroundLoop(
            "salts",
            partial(make_salts, parts),
            every_s=_EVERY_S,
            meanwhile="Salts of past days are not deleted, and none are made for days to come: "
            "hits without a cookie will be refused from the day after tomorrow on.",
        ),
        BackgroundLoop(
            "audit-log",
            parts.catalog.flush,
            every_s=_EVERY_S,
            meanwhile="Refused logins and the days on which keys were used are not written down.",
            longest_pause_s=_LONGEST_PAUSE_S,
        ),
        BackgroundLoop(
            "retention",
            partial(_holding, rows, partial(apply_retention, parts)),
            every_s=_EVERY_S,
            meanwhile="Some rows are kept for longer than their site's retention says.",
            longest_pause_s=_LONGEST_PAUSE_S,
        ),
        BackgroundLoop(
            "cells",
            partial(_holding, rows, partial(build_cells, parts)),
            every_s=_EVERY_S,
            meanwhile="Questions about past days look at every row, which takes longer.",
            longest_pause_s=_LONGEST_PAUSE_S,
        ),
        BackgroundLoop(
            "compaction",
            Compaction(parts).step,
            every_s=_EVERY_S,
            meanwhile="The bytes of deleted rows are still in the server's files.",
            longest_pause_s=_LONGEST_PAUSE_S,
        ),
        BackgroundLoop(
            "disk",
            parts.disk_forecast.step,
            every_s=_EVERY_S,
            meanwhile="The disk fills up: at the present rate hits will be refused before long.",
            longest_pause_s=_LONGEST_PAUSE_S,
        ),
        *exporting,
    )


def exports(export: ScheduledExport) -> BackgroundLoop:
    """Return the loop that runs *export* at its hour."""
    return BackgroundLoop(
        "exports",
        export.step,
        every_s=_EVERY_S,
        meanwhile="Days that have ended or changed are not exported to exports.target.",
        longest_pause_s=_LONGEST_PAUSE_S,
    )


async def _holding(lock: asyncio.Lock, step: Callable[[], Awaitable[None]]) -> None:
    async with lock:
        await step()


async def make_salts(parts: Resources) -> None:
    """Make the salts of the days to come, and drop those of the days that are over."""
    today = parts.clock() // DAY_MS
    await parts.catalog.salts.make(salts_needed(today), today=today)


async def apply_retention(parts: Resources) -> None:
    """Delete, for each site with a retention, the rows that are older.

    A failure for one site does not stop the others. Raise an `ExceptionGroup` at the end.
    """
    now = parts.clock()
    errors: list[Exception] = []
    limited = [site for site in parts.catalog.sites.all() if site.retention_days is not None]
    for site in limited:
        try:
            before = now - (site.retention_days or 0) * DAY_MS
            async with parts.paused():
                deleted = await parts.erases.retain(site.domain, before)
        except Exception as exc:
            log.warning(
                "retention_failed",
                site=site.domain,
                error=str(exc),
                exc_info=not is_expected(exc),
            )
            errors.append(exc)
            continue
        if deleted:
            log.info("retention_applied", site=site.domain, rows=deleted)
    if errors:
        raise ExceptionGroup(f"retention failed for {len(errors)} of {len(limited)} sites", errors)


class Compaction:
    """Rewrites files from which rows were deleted, with pauses: it holds up the figures."""

    def __init__(self, parts: Resources) -> None:
        self._parts = parts
        self._rests_until = 0.0

    async def step(self) -> None:
        """Compact if it is due and no pause is running."""
        began = time.monotonic()
        if began < self._rests_until or not await self._parts.erases.compaction_due():
            return
        await self._parts.erases.compact()
        took_s = time.monotonic() - began
        self._rests_until = began + _RESTS_FOR * took_s


async def build_cells(parts: Resources) -> None:
    """Build the cells of the days that have ended, so that queries about them are fast."""
    built = await parts.store.build_cells(parts.clock())
    if built:
        log.info("cells_built", sites=built)
