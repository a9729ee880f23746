"""How long the disk lasts at the present rate, and which site fills it."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from analytics.errors import AnalyticsError
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.units import DAY_MS, HOUR_MS
from analytics.wording import counted

_SAMPLE_MS: Final = HOUR_MS // 6
_WINDOW_MS: Final = DAY_MS
_SHORTEST_MS: Final = HOUR_MS
"""A rate is told from no shorter time: files also grow for a while before they are compacted."""
_USUAL_DAYS: Final = 7
_UNUSUAL: Final = 5
"""A site stands out that has stored so many times as much in a day as it usually does…"""
_SHARE: Final = 0.5
"""…and at least this share of what all sites have."""

ReadLedger = Callable[[tuple[int, int]], Awaitable[Mapping[LedgerKey, LedgerLine]]]
"""Returns the ledger of all sites within a span."""


class DiskFillsUp(AnalyticsError):
    """At the present rate the disk is full before long."""


class _Busy(NamedTuple):
    """The site that stored most events in the last 24 hours."""

    site: str
    events: int
    usual: float
    """Its events a day in the week before."""
    share: float
    """Of all sites' events in these 24 hours."""


class DiskForecast:
    """Samples what the data folder takes; `step` raises `DiskFillsUp` where it grows too fast."""

    def __init__(
        self,
        folder: Path,
        ledger: ReadLedger,
        clock: Callable[[], int],
        *,
        least_free: int,
        warn_days: float,
        free: Callable[[], int] | None = None,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._clock = clock
        self._least_free = least_free
        self._warn_days = warn_days
        self._free = free or (lambda: shutil.disk_usage(folder).free)
        self._samples: dict[int, int] = {}
        """The least bytes that the folder took, by ten minutes: a copy that is being made of a
        file does not count."""
        self.days_left = math.inf
        """Days until hits are refused, at the present rate."""

    async def step(self) -> None:
        """Measure once. Raise `DiskFillsUp` if the disk lasts for fewer days than it should."""
        now = self._clock()
        self._sample(now)
        self.days_left = self._forecast()
        if self.days_left < self._warn_days:
            raise DiskFillsUp(await self._explanation(now))

    def _sample(self, now: int) -> None:
        taken, slot = _bytes_in(self._folder), now - now % _SAMPLE_MS
        self._samples[slot] = min(taken, self._samples.get(slot, taken))
        for old in [at for at in self._samples if at < now - _WINDOW_MS]:
            del self._samples[old]

    def _forecast(self) -> float:
        first, last = min(self._samples), max(self._samples)
        grown = self._samples[last] - self._samples[first]
        if last - first < _SHORTEST_MS or grown <= 0:
            return math.inf
        room = max(0, self._free() - self._least_free)
        return room / grown * (last - first) / DAY_MS

    async def _explanation(self, now: int) -> str:
        hours = (max(self._samples) - min(self._samples)) // HOUR_MS
        text = (
            f"At the rate of the last {counted(hours, 'hour')} the disk is full in"
            f" {_duration(self.days_left)}; then hits are refused."
        )
        busy = await self._busiest(now)
        if busy is None or busy.share < _SHARE or busy.events < _UNUSUAL * busy.usual:
            return f"{text} Make room, or keep events for a shorter time (retention)."
        usual = f"usually {busy.usual:,.0f} a day" if busy.usual else "none in the week before"
        return (
            f"{text} {busy.site} stored {busy.events:,} events in the last 24 hours ({usual}). If"
            " somebody makes them up, limit its events a day in its settings (`analytics site set"
            f" {busy.site} --events-per-day N`), and erase them."
        )

    async def _busiest(self, now: int) -> _Busy | None:
        lately: dict[str, int] = {}
        before: dict[str, int] = {}
        span = (now - (_USUAL_DAYS + 1) * DAY_MS, now + 1)
        for key, line in (await self._ledger(span)).items():
            sums = lately if key.hour > now - DAY_MS else before
            sums[key.site] = sums.get(key.site, 0) + line.stored
        if not any(lately.values()):
            return None
        site = max(lately, key=lambda name: lately[name])
        return _Busy(
            site,
            lately[site],
            before.get(site, 0) / _USUAL_DAYS,
            lately[site] / sum(lately.values()),
        )


def _bytes_in(folder: Path) -> int:
    """Return what the files of *folder* take; one that vanishes meanwhile takes nothing."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - many files
            except OSError:
                continue
    return total


def _duration(days: float) -> str:
    if days < 2:
        return counted(max(1, round(days * 24)), "hour")
    return counted(round(days), "day")
