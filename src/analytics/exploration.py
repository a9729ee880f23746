"""Questions about what came after what: funnels, journeys and retention, and their answers.

They are complete as a `Query` is: dates are resolved to instants, goals and segments to filters.
What they count is defined in docs/metrics.md and compiled in `store/sql/`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from analytics.query import Filter, Period

WAIT_BOUNDS_MS: Final = (
    10_000,
    30_000,
    60_000,
    5 * 60_000,
    15 * 60_000,
    3_600_000,
    6 * 3_600_000,
    24 * 3_600_000,
    7 * 24 * 3_600_000,
)
"""The bounds between the classes in which waits are counted; a wait equal to one lies above it."""


class FunnelQuery(msgspec.Struct, frozen=True, kw_only=True, tag="funnel"):
    """How many get from one of *steps* to the next."""

    site: str
    period: Period
    steps: tuple[Filter, ...]
    strict: bool = False
    """Whether nothing may lie between a step and the next; else other events may."""
    within_days: int | None = None
    """So many days after the first step, a visitor's steps count; None: a visit's steps do."""
    filters: tuple[Filter, ...] = ()
    """Events that they do not match are not looked at."""
    bots: bool = False


class JourneyQuery(msgspec.Struct, frozen=True, kw_only=True, tag="journey"):
    """Where visits went from an event that *start* matches, or how they got there."""

    site: str
    period: Period
    start: Filter
    forward: bool = True
    levels: int = 5
    """How many steps to go from the start."""
    most: int = 10
    """How many pages and events a level names; the rest are together."""
    events: bool = False
    """Whether custom events are steps too, and not pageviews alone."""
    filters: tuple[Filter, ...] = ()
    bots: bool = False


class RetentionUnit(StrEnum):
    """The length of time by which visitors are gathered, and their returns counted."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class RetentionQuery(msgspec.Struct, frozen=True, kw_only=True, tag="retention"):
    """How many of those first seen at a time came back, and when."""

    site: str
    period: Period
    unit: RetentionUnit = RetentionUnit.WEEK
    filters: tuple[Filter, ...] = ()
    bots: bool = False


Exploration = FunnelQuery | JourneyQuery | RetentionQuery


class Waits(msgspec.Struct, frozen=True):
    """The time between two steps, of those who got to the second."""

    total_ms: int
    counts: tuple[int, ...]
    """By class: those below each of `WAIT_BOUNDS_MS`, and those above the last."""


class FunnelStep(msgspec.Struct, frozen=True):
    """What became of one step of a funnel."""

    reached: int
    """The visits or visitors that got here."""
    cookieless: int
    """Those among them without a cookie, whom nothing connects with other days."""
    waits: Waits
    """Since the step before."""


class FunnelResult(msgspec.Struct, frozen=True, kw_only=True, tag="funnel"):
    """The answer to a `FunnelQuery`, step by step."""

    steps: tuple[FunnelStep, ...]
    to_convert: Waits
    """From the first step to the last."""
    as_of: int | None = None
    """See `Result.as_of`."""
    waiting: int = 0
    """See `Result.waiting`."""


class StopKind(StrEnum):
    """What a stop of a journey is."""

    PAGE = "page"
    EVENT = "event"
    OTHER = "other"
    """All pages and events of the level that are not named."""


class Stop(msgspec.Struct, frozen=True, order=True):
    """A page by its path, or a custom event by its name."""

    kind: StopKind
    name: str = ""


class Passage(msgspec.Struct, frozen=True):
    """The visits that have *stop* at a level, and *before* it at the level before."""

    level: int
    """From 0, which is the start itself."""
    before: Stop | None
    """None at level 0."""
    stop: Stop
    visits: int


class JourneyResult(msgspec.Struct, frozen=True, kw_only=True, tag="journey"):
    """The answer to a `JourneyQuery`: by level, the most visits first."""

    passages: tuple[Passage, ...]
    as_of: int | None = None
    waiting: int = 0


class Cohort(msgspec.Struct, frozen=True):
    """The visitors first seen on a day, or in the week or month that begins with *label*."""

    label: str
    visitors: tuple[int, ...]
    """How many were there in that time, in the next, and so on to the end of the period."""


class RetentionResult(msgspec.Struct, frozen=True, kw_only=True, tag="retention"):
    """The answer to a `RetentionQuery`: a cohort for each time of the period."""

    cohorts: tuple[Cohort, ...]
    cookieless: int = 0
    """Visitors of the period without a cookie, once a day each. They are in no cohort: nobody can
    tell whether they came back."""
    as_of: int | None = None
    waiting: int = 0


ExplorationResult = FunnelResult | JourneyResult | RetentionResult
