"""Exports every day that has changed since it was exported, once a day or on request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote
from uuid import uuid4

import structlog

from analytics import localtime
from analytics.catalog.base import Catalog
from analytics.errors import Misconfigured
from analytics.scheduled_export import progress_file
from analytics.scheduled_export.destination import Destination, destination
from analytics.scheduled_export.progress_file import ExportProgress
from analytics.settings.exports import ExportsSettings
from analytics.site import Site
from analytics.store.base import ExportFormat, Exports
from analytics.units import DAY_MS, HOUR_MS

log = structlog.get_logger()

_SAVE_EVERY: Final = 20

Report = Callable[[int, int, str], None]
"""Receives the number of days done, their total, and the next day."""


class ExportOutcome(NamedTuple):
    """The result of one run."""

    written: int
    """Days whose file was written."""
    deleted: int
    """Days that have no event any more, whose file was deleted."""
    rows: int


class _Change(NamedTuple):
    """A day whose file is outdated; without a fingerprint the day has no events any more."""

    site: str
    zone: str
    day: int
    fingerprint: str | None

    @property
    def date(self) -> str:
        return localtime.date_of(self.day).isoformat()

    @property
    def name(self) -> str:
        return f"site={quote(self.site, safe='')}/day={self.date}/events.parquet"


class ScheduledExport:
    """The export that the settings ask for."""

    def __init__(
        self,
        settings: ExportsSettings,
        *,
        catalog: Catalog,
        store: Exports,
        scratch: Path,
        progress: Path,
        clock: Callable[[], int],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._store = store
        self._scratch = scratch
        self._path = progress
        self._clock = clock
        self._settle = settle
        self._running = asyncio.Lock()
        self.waiting = 0
        """Days that the current run has yet to export."""
        self.finished_at = progress_file.load(progress, settings.target).finished_at

    async def step(self) -> None:
        """Run if a run is due and none has succeeded since."""
        if self.finished_at < self._due():
            await self.run()

    async def run(self, report: Report = lambda *_: None) -> ExportOutcome:
        """Export every whole day that has changed since it was exported.

        Raise `Misconfigured` for an unknown site, `Unavailable` if the destination refuses a file;
        the files exported by then stay, and the next run continues.
        """
        async with self._running:
            began = self._clock()
            await self._settle()
            target = destination(self._settings)
            progress = progress_file.load(self._path, self._settings.target)
            changes = [
                change for site in self._sites() for change in await self._of(site, progress)
            ]
            try:
                outcome = await self._carry_out(changes, target, progress, report)
                progress.finished_at = self.finished_at = began
            finally:
                await asyncio.to_thread(progress_file.save, self._path, progress)
        log.info("export_done", written=outcome.written, deleted=outcome.deleted)
        return outcome

    async def _carry_out(
        self,
        changes: Sequence[_Change],
        target: Destination,
        progress: ExportProgress,
        report: Report,
    ) -> ExportOutcome:
        written = deleted = rows = 0
        try:
            for done, change in enumerate(changes):
                self.waiting = len(changes) - done
                report(done, len(changes), f"{change.site} {change.date}")
                days = progress.days.setdefault(change.site, {})
                if change.fingerprint is None:
                    await target.delete(change.name)
                    del days[change.date]
                    deleted += 1
                else:
                    rows += await self._write(change, target)
                    days[change.date] = change.fingerprint
                    written += 1
                if done % _SAVE_EVERY == 0:
                    await asyncio.to_thread(progress_file.save, self._path, progress)
        finally:
            self.waiting = 0
        return ExportOutcome(written, deleted, rows)

    async def _write(self, change: _Change, target: Destination) -> int:
        file = self._scratch / f"export-{uuid4()}.parquet"
        start, end = (localtime.day_start(change.zone, change.day + more) for more in (0, 1))
        try:
            rows = await self._store.export(change.site, start, end, ExportFormat.PARQUET, file)
            await target.put(change.name, file)
        finally:
            file.unlink(missing_ok=True)
        return rows

    async def _of(self, site: Site, progress: ExportProgress) -> Sequence[_Change]:
        """Return the days of *site* to export: those that changed or lost all events."""
        zone, before = site.timezone, localtime.day_of(site.timezone, self._clock())
        stored = await self._store.stored_days(site.domain, zone)
        exported = progress.days.get(site.domain, {})
        now = {
            localtime.date_of(day).isoformat(): (day, fingerprint)
            for day, fingerprint in stored.fingerprints.items()
            if day < before
        }
        changed = [
            _Change(site.domain, zone, day, fingerprint)
            for date, (day, fingerprint) in now.items()
            if exported.get(date) != f"{zone} {fingerprint}"
        ]
        changes = [each._replace(fingerprint=f"{zone} {each.fingerprint}") for each in changed]
        changes += (
            _Change(site.domain, zone, day, None)
            for day in _days(exported)
            if localtime.date_of(day).isoformat() not in now and day >= stored.first
        )
        return changes

    def _sites(self) -> Sequence[Site]:
        if not self._settings.sites:
            return self._catalog.sites.all()
        sites = []
        for name in self._settings.sites:
            site = self._catalog.sites.get(name)
            if site is None:
                raise Misconfigured(f"exports.sites names {name}, which is not a site here")
            sites.append(site)
        return sites

    def _due(self) -> int:
        """Return the last time (UTC ms) at which a run was due."""
        now = self._clock()
        today = now // DAY_MS * DAY_MS + self._settings.hour * HOUR_MS
        return today if today <= now else today - DAY_MS


def _days(exported: dict[str, str]) -> Iterator[int]:
    for date in exported:
        yield localtime.day_number(localtime.date_of(0).fromisoformat(date))
