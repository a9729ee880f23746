"""Compares the figures of each day before and after stored events are decided again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from analytics import localtime, machines
from analytics.event import ENGAGEMENT, Row
from analytics.pipeline.replay import ReplayedRow
from analytics.query import Dimension, Metric

_BEGUN: Final = "begun"
_ENGAGED: Final = "engaged"
_DURATION: Final = "duration"
_MOST_SUMS: Final = 300_000
_OTHERS: Final = "(others)"


class RebuiltFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one day that is another afterwards."""

    day: str
    """ISO 8601, in the site's time zone."""
    figure: str
    """A metric, as the Stats API names it."""
    dimension: str = ""
    """What the figure is broken down by; "" for that of the whole site."""
    value: str = ""
    """Its value of the dimension."""
    before: int | None
    after: int | None


class _Key(NamedTuple):
    day: int
    what: str
    """A metric, or a sum of which metrics are made."""
    dimension: str = ""
    value: str = ""


class _Sum:
    """A sum before and after."""

    __slots__ = ("after", "before")

    def __init__(self) -> None:
        self.before = self.after = 0


class DayFigures:
    """Sums of the days of one site; feed it every row once.

    Senders choose the names of sources. Beyond *most* sums, names not met before share one.
    """

    def __init__(self, timezone: str, *, most: int = _MOST_SUMS) -> None:
        self._timezone = timezone
        self._most = most
        self._sums: dict[_Key, _Sum] = {}

    def add(self, row: ReplayedRow) -> None:
        """Add what a row counts for, as it is stored and as it is decided today."""
        for key, number in self._counted(row.stored):
            self._sum(key).before += number
        for key, number in self._counted(row.replayed):
            self._sum(key).after += number

    def changes(self) -> Sequence[RebuiltFigure]:
        """Return the figures that differ, by day."""
        changes = [
            _changed(key, sums.before, sums.after)
            for key, sums in self._sums.items()
            if key.dimension
        ]
        for day in {key.day for key in self._sums}:
            visits, engaged, duration = (
                self._sums.get(_Key(day, what), _Sum()) for what in (_BEGUN, _ENGAGED, _DURATION)
            )
            before = _metrics(visits.before, engaged.before, duration.before)
            after = _metrics(visits.after, engaged.after, duration.after)
            changes += [_changed(_Key(day, each), before[each], after[each]) for each in before]
        changes.sort(key=lambda change: (change.day, change.dimension, change.value))
        return [change for change in changes if change.before != change.after]

    def _sum(self, key: _Key) -> _Sum:
        sums = self._sums.get(key)
        if sums is None:
            if key.dimension and len(self._sums) >= self._most and key.value != _OTHERS:
                return self._sum(key._replace(value=_OTHERS))
            sums = self._sums[key] = _Sum()
        return sums

    def _counted(self, row: Row) -> Iterator[tuple[_Key, int]]:
        if row.bot is not None:
            if row.name != ENGAGEMENT:
                day = localtime.day_of(self._timezone, row.ts)
                name = machines.name_of(row.browser)
                yield _Key(day, Metric.EVENTS, Dimension.BOT_NAME, name), 1
            return
        if not (row.opens or row.engages or row.gap_ms):
            return
        day = localtime.day_of(self._timezone, row.session_start)
        yield _Key(day, _BEGUN), row.opens
        yield _Key(day, _ENGAGED), row.engages
        yield _Key(day, _DURATION), row.gap_ms
        if row.opens:
            yield _Key(day, Metric.VISITS, Dimension.CHANNEL, row.entry_channel), 1
            yield _Key(day, Metric.VISITS, Dimension.SOURCE, row.entry_source), 1


def _changed(key: _Key, before: int | None, after: int | None) -> RebuiltFigure:
    return RebuiltFigure(
        day=localtime.date_of(key.day).isoformat(),
        figure=key.what,
        dimension=key.dimension,
        value=key.value,
        before=before,
        after=after,
    )


def _metrics(visits: int, engaged: int, duration_ms: int) -> Mapping[str, int | None]:
    """Return metrics of the visits of a day, as docs/metrics.md defines them."""
    return {
        Metric.VISITS: visits,
        Metric.BOUNCE_RATE: _rounded(100 * (visits - engaged), visits) if visits else 0,
        Metric.VISIT_DURATION: _rounded(duration_ms, 1000 * visits) if visits else None,
    }


def _rounded(numerator: int, denominator: int) -> int:
    """Return the quotient, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)
