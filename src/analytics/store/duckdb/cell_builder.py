"""Builds cells from rows in files beside the writing thread, which then swaps them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from analytics import localtime
from analytics.query import Dimension, Filter
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import cell_statements, hot_window, site_state
from analytics.store.duckdb.cell_statements import CellPlan, GoalPlan
from analytics.store.duckdb.site_state import GoalCells, HotWindow
from analytics.store.sql import cells
from analytics.store.sql.bound_values import Statement

SETTLES_AFTER_MS: Final = 35 * 60_000
"""How long after midnight a day may be built: most visits across midnight have ended by then."""
_RESTS_FOR: Final = 20
_UNTOUCHED: Final = 1 << 62


class BuiltCells(NamedTuple):
    """The cells built for a plan, in Parquet files that the writer loads."""

    plan: CellPlan
    visitors: Sequence[Path]
    sums: Sequence[Path]

    def discard(self) -> None:
        """Delete the files."""
        for path in (*self.visitors, *self.sums):
            path.unlink(missing_ok=True)


class CellBuilder:
    """Plans builds and swaps in their results; used by the writing thread only.

    A site is built again no sooner than *at_most_every_ms* after the last build, and no sooner than
    twenty times as long as that took, so that builds take at most a twentieth of a processor.
    """

    def __init__(self, *, at_most_every_ms: int) -> None:
        self._at_most_every_ms = at_most_every_ms
        self._rests_until: dict[str, int] = {}
        self._touched: dict[str, int] = {}

    def note(self, earliest: Mapping[str, int]) -> None:
        """Record that a transaction changed figures: maps a site to the earliest time changed."""
        for site, moment in earliest.items():
            if site in self._touched:
                self._touched[site] = min(moment, self._touched[site])

    def plan(
        self,
        connection: Connection,
        site: str,
        timezone: str,
        now: int,
        goals: Sequence[Filter] = (),
    ) -> CellPlan | None:
        """Return what to build for *site* with its *goals*, or None.

        From now on `note` records its changes.
        """
        if now < self._rests_until.get(site, now):
            return None
        end = localtime.day_of(timezone, now - SETTLES_AFTER_MS)
        state = site_state.read(connection, site)
        window = state.window
        until = state.cells.until if state.cells else None
        edition = localtime.edition(timezone)
        if state.cells and state.cells.edition != edition:
            until = None
        by_key = {cells.goal_key(each): each for each in goals}
        known = site_state.goal_cells(connection, site, tuple(by_key))
        known = {key: each for key, each in known.items() if each.edition == edition}
        behind = {
            key: each
            for key, each in by_key.items()
            if (key not in known or localtime.day_of(timezone, known[key].until) < end)
            and _can_build_goal(each, window, timezone)
        }
        built = until is not None and localtime.day_of(timezone, until) >= end
        if built and not behind:
            return None
        ((earliest,),) = connection.rows(
            "SELECT min(least(ts, session_start)) FROM rows WHERE site = ?", [site]
        )
        if earliest is None:
            return None
        first = min(localtime.day_of(timezone, earliest if until is None else until), end)
        if window is not None and not hot_window.can_build(window, timezone, first):
            first = end  # the Spark job, which has all rows, answers about those days
        planned = tuple(
            goal
            for goal in _goal_plans(behind, known, window, timezone, earliest)
            if goal.first < end
        )
        if first >= end and not planned:
            return None
        self._touched[site] = _UNTOUCHED
        self._rests_until[site] = now + self._at_most_every_ms
        return CellPlan(
            site, timezone, first, end, earliest, window is not None, planned, tuple(by_key)
        )

    def swap(self, connection: Connection, built: BuiltCells) -> None:
        """Replace the cells by *built*, up to the first change made since the plan."""
        plan = built.plan
        edition = localtime.edition(plan.timezone)
        until = min(localtime.day_start(plan.timezone, plan.end), self._touched.pop(plan.site))
        end = localtime.day_of(plan.timezone, until)
        with transaction(connection):
            if plan.first < plan.end:
                ((known,),) = connection.rows(
                    "SELECT count(*) FROM cell_state WHERE site = ? AND timezone = ?",
                    [plan.site, edition],
                )
                # Of another time zone, or of a table with other rules, no day is the same.
                first = plan.first if known else -_UNTOUCHED
                _replace(connection, built, f"dimension <> '{Dimension.GOAL}'", first, end)
                connection.run(
                    "INSERT INTO cell_state VALUES ($site, $timezone, $until) ON CONFLICT DO UPDATE"
                    " SET timezone = excluded.timezone, until = excluded.until",
                    {"site": plan.site, "timezone": edition, "until": until},
                )
            _swap_goals(connection, built, edition, until, end)

    def finish(self, site: str, now: int, took_ms: int) -> None:
        """End a build, successful or not: *site* is not planned again for a while from *now* on."""
        self._touched.pop(site, None)
        rest = max(self._at_most_every_ms, _RESTS_FOR * took_ms)
        self._rests_until[site] = now + (rest if self._at_most_every_ms else 0)


def build(connection: Connection, plan: CellPlan, folder: Path) -> BuiltCells:
    """Build the cells of *plan* from rows into files in *folder*, one dimension at a time."""
    named = (cells.TOTAL, *cells.DIMENSIONS) if plan.first < plan.end else ()
    statements = [cell_statements.of_dimension(plan, each) for each in named]
    statements += [cell_statements.of_goal(plan, each) for each in plan.goals]
    run = uuid4().hex
    built = BuiltCells(
        plan,
        [folder / f"{run}-{i}-visitors.parquet" for i in range(len(statements))],
        [folder / f"{run}-{i}-sums.parquet" for i in range(len(statements))],
    )
    try:
        with transaction(connection):
            for made, *paths in zip(statements, built.visitors, built.sums, strict=True):
                for statement, path in zip(made, paths, strict=True):
                    _write(connection, statement, path)
    except BaseException:
        built.discard()
        raise
    return built


def _write(connection: Connection, statement: Statement, path: Path) -> None:
    target = str(path).replace("'", "''")
    connection.run(f"COPY ({statement.sql}) TO '{target}' (FORMAT parquet)", statement.values)


def _can_build_goal(goal: Filter, window: HotWindow | None, timezone: str) -> bool:
    """Return whether *goal* can have cells: not by visits whose rows before *window* are gone."""
    return window is None or (timezone == window.timezone and not cells.follows_visits(goal))


def _goal_plans(
    behind: Mapping[str, Filter],
    known: Mapping[str, GoalCells],
    window: HotWindow | None,
    timezone: str,
    earliest: int,
) -> Iterator[GoalPlan]:
    """Yield what to build of each goal *behind*; cells of those *known* are continued.

    In a hot *window* they begin with it, since nobody knows who reached a goal before.
    """
    hot_since = 0 if window is None else window.since
    for key, filter_ in behind.items():
        state = known.get(key)
        since = max(hot_since, 0 if state is None else state.since)
        start = max(earliest if state is None else state.until, hot_since)
        yield GoalPlan(key, filter_, localtime.day_of(timezone, start), since, state is not None)


def _replace(
    connection: Connection, built: BuiltCells, which: str, first: int, days_end: int
) -> None:
    """Put the cells *built* that meet *which* in the place of those of the days from *first* on."""
    site = built.plan.site
    for table, paths in (("cell_visitors", built.visitors), ("cell_sums", built.sums)):
        connection.run(
            f"DELETE FROM {table} WHERE site = $site AND day >= $first AND {which}",
            {"site": site, "first": first},
        )
        connection.run(
            f"INSERT INTO {table} SELECT * FROM read_parquet($files) WHERE day < $end AND {which}",
            {"files": [str(path) for path in paths], "end": days_end},
        )


def _swap_goals(
    connection: Connection, built: BuiltCells, edition: str, until: int, days_end: int
) -> None:
    """Replace the cells of the goals *built*, and delete those of goals that are gone."""
    plan = built.plan
    values: dict[str, object] = {"site": plan.site, "goals": list(plan.every_goal)}
    gone = "site = $site AND NOT list_contains($goals, {})"
    connection.run(f"DELETE FROM goal_cells WHERE {gone.format('goal')}", values)
    for table in ("cell_visitors", "cell_sums"):
        of_goals = f"dimension = '{Dimension.GOAL}' AND {gone.format('value')}"
        connection.run(f"DELETE FROM {table} WHERE {of_goals}", values)
    known = {
        key
        for key, state in site_state.goal_cells(connection, plan.site, plan.every_goal).items()
        if state.edition == edition
    }
    for goal in plan.goals:
        if (goal.key in known) is not goal.known:
            continue  # what was to be continued is gone: the next build begins anew
        which = f"dimension = '{Dimension.GOAL}' AND value = '{goal.key}'"
        first = goal.first if goal.known else -_UNTOUCHED
        _replace(connection, built, which, first, days_end)
        connection.run(
            "INSERT INTO goal_cells VALUES ($site, $goal, $timezone, $since, $until, $follows)"
            " ON CONFLICT DO UPDATE SET timezone = excluded.timezone, since = excluded.since,"
            " until = excluded.until, follows_visits = excluded.follows_visits",
            {
                "site": plan.site,
                "goal": goal.key,
                "timezone": edition,
                "since": goal.since_ms,
                "until": until,
                "follows": cells.follows_visits(goal.filter),
            },
        )
