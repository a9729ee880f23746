"""Compares the figures of each day before and after stored events are decided again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from analytics import localtime, machines
from analytics.dimension_facts import DIMENSIONS
from analytics.event import ENGAGEMENT, PAGEVIEW, Row
from analytics.pipeline.replay import ReplayedRow
from analytics.query import MACHINE_DIMENSIONS, PLACE_NAME_DIMENSIONS, Dimension, Metric

_BEGUN: Final = "begun"
_ENGAGED: Final = "engaged"
_DURATION: Final = "duration"
_VIEWS: Final = "views"
_ATTENTION: Final = "attention"
_DEPTH: Final = "depth"
_MEASURED: Final = "measured"
_OF_VISITS: Final = (_BEGUN, _ENGAGED, _DURATION, _VIEWS)
_OF_MEANS: Final = (_ATTENTION, _DEPTH, _MEASURED)
_OF_PAGES: Final = (Metric.VISITS, *_OF_MEANS)
_OF_OPENER: Final = tuple(
    (dimension, facts.column)
    for dimension, facts in DIMENSIONS.items()
    if facts.column.startswith("entry_")
    and dimension not in MACHINE_DIMENSIONS | PLACE_NAME_DIMENSIONS
)
"""The dimensions of which the event that opens a visit has the value, and their columns."""
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
    before: int | float | None
    after: int | float | None


_Means = Mapping[str, int | float | None]


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
    """Sums of the days of one site; feed it every row once, all rows of a visitor together.

    Senders choose the names of sources and pages. Beyond *most* sums, names not met before share
    one.
    """

    def __init__(self, timezone: str, *, most: int = _MOST_SUMS) -> None:
        self._timezone = timezone
        self._most = most
        self._sums: dict[_Key, _Sum] = {}

    def add(self, rows: Sequence[ReplayedRow]) -> None:
        """Add what rows count for, as they are stored and as they are decided today."""
        for key, number in self._counts([row.stored for row in rows]).items():
            self._sum(key).before += number
        for key, number in self._counts([row.replayed for row in rows]).items():
            self._sum(key).after += number

    def changes(self) -> Sequence[RebuiltFigure]:
        """Return the figures that differ, by day."""
        changes: list[RebuiltFigure] = []
        for key, sums in self._sums.items():
            if key.dimension and key.what not in _OF_MEANS:
                changes.append(_changed(key, sums.before, sums.after))
            if key.dimension == Dimension.PAGE and key.what == Metric.VISITS:
                changes += self._means(key, _page_means, _OF_PAGES)
        for day in {key.day for key in self._sums}:
            changes += self._means(_Key(day, ""), _visit_means, _OF_VISITS)
        changes.sort(key=lambda change: (change.day, change.dimension, change.value))
        return [change for change in changes if change.before != change.after]

    def _means(
        self, key: _Key, means: Callable[..., _Means], names: Sequence[str]
    ) -> Iterator[RebuiltFigure]:
        """Yield the figures that *means* makes of the sums *names* at the place of *key*."""
        sums = [self._sums.get(key._replace(what=name), _Sum()) for name in names]
        before, after = (
            means(*(each.before for each in sums)),
            means(*(each.after for each in sums)),
        )
        for name in before:
            yield _changed(key._replace(what=name), before[name], after[name])

    def _sum(self, key: _Key) -> _Sum:
        sums = self._sums.get(key)
        if sums is None:
            if key.dimension and len(self._sums) >= self._most and key.value != _OTHERS:
                return self._sum(key._replace(value=_OTHERS))
            sums = self._sums[key] = _Sum()
        return sums

    def _counts(self, rows: Sequence[Row]) -> Counter[_Key]:
        """Return what *rows*, all rows of some visitors, count for."""
        counts: Counter[_Key] = Counter()
        of_visits: list[tuple[int, Row]] = []
        for row in rows:
            if row.bot is None:
                if row.session:
                    day = localtime.day_of(self._timezone, row.session_start)
                    of_visits.append((day, row))
            elif row.name != ENGAGEMENT:
                day = localtime.day_of(self._timezone, row.ts)
                name = machines.name_of(row.browser)
                counts[_Key(day, Metric.EVENTS, Dimension.BOT_NAME, name)] += 1
        _count_visits(counts, of_visits)
        _count_pages(counts, of_visits)
        _count_exits(counts, of_visits)
        return counts


def _count_visits(counts: Counter[_Key], rows: Iterable[tuple[int, Row]]) -> None:
    for day, row in rows:
        counts[_Key(day, _BEGUN)] += row.opens
        counts[_Key(day, _ENGAGED)] += row.engages
        counts[_Key(day, _DURATION)] += row.gap_ms
        counts[_Key(day, _VIEWS)] += row.name == PAGEVIEW
        if row.opens:
            for dimension, column in _OF_OPENER:
                counts[_Key(day, Metric.VISITS, dimension, getattr(row, column))] += 1


def _count_pages(counts: Counter[_Key], rows: Iterable[tuple[int, Row]]) -> None:
    viewed: set[tuple[int, str]] = set()
    deepest: dict[tuple[int, str], tuple[int, int]] = {}
    for day, row in rows:
        place = row.session, row.path
        first = row.name == PAGEVIEW and place not in viewed
        if first:
            viewed.add(place)
        # Also where it is 0: so all sums of a page have its name, or that of the others.
        counts[_Key(day, Metric.VISITS, Dimension.PAGE, row.path)] += first
        counts[_Key(day, _ATTENTION, Dimension.PAGE, row.path)] += row.engaged_ms
        counts[_Key(day, _DEPTH, Dimension.PAGE, row.path)] += 0
        counts[_Key(day, _MEASURED, Dimension.PAGE, row.path)] += 0
        if row.scroll_depth is not None:
            deepest[place] = day, max(row.scroll_depth, deepest.get(place, (day, 0))[1])
    for (_, path), (day, depth) in deepest.items():
        counts[_Key(day, _DEPTH, Dimension.PAGE, path)] += depth
        counts[_Key(day, _MEASURED, Dimension.PAGE, path)] += 1


def _count_exits(counts: Counter[_Key], rows: Sequence[tuple[int, Row]]) -> None:
    """Count the last pageview of each visit whose first event is here."""
    opened = {row.session for _, row in rows if row.opens}
    last: dict[int, tuple[int, Row]] = {}
    for day, row in rows:
        if row.name == PAGEVIEW and row.session in opened:
            _, latest = last.get(row.session, (day, row))
            if (latest.ts, latest.log_offset) <= (row.ts, row.log_offset):
                last[row.session] = day, row
    for day, row in last.values():
        counts[_Key(day, Metric.EXITS, Dimension.EXIT_PAGE, row.path)] += 1
        counts[_Key(day, Metric.EXITS, Dimension.EXIT_HOSTNAME, row.hostname)] += 1


def _changed(key: _Key, before: float | None, after: float | None) -> RebuiltFigure:
    return RebuiltFigure(
        day=localtime.date_of(key.day).isoformat(),
        figure=key.what,
        dimension=key.dimension,
        value=key.value,
        before=before,
        after=after,
    )


def _visit_means(visits: int, engaged: int, duration_ms: int, views: int) -> _Means:
    """Return metrics of the visits of a day, as docs/metrics.md defines them."""
    return {
        Metric.VISITS: visits,
        Metric.VIEWS_PER_VISIT: _rounded(100 * views, visits) / 100 if visits else 0,
        Metric.BOUNCE_RATE: _rounded(100 * (visits - engaged), visits) if visits else 0,
        Metric.VISIT_DURATION: _rounded(duration_ms, 1000 * visits) if visits else None,
    }


def _page_means(visits: int, attention_ms: int, depth: int, measured: int) -> _Means:
    """Return metrics of a page on a day."""
    timed = visits and attention_ms > 0
    return {
        Metric.TIME_ON_PAGE: _rounded(attention_ms, 1000 * visits) if timed else None,
        Metric.SCROLL_DEPTH: _rounded(depth, measured) if measured else None,
    }


def _rounded(numerator: int, denominator: int) -> int:
    """Return the quotient, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)
