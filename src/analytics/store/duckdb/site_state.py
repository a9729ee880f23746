"""The state of a site that decides how its queries are answered: kept, evicted, in cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analytics.store.connection import Connection
from analytics.store.sql.query_plan import CellState


class HotWindow(NamedTuple):
    """The rows of a site's days that ended by *since* (ms) are evicted."""

    since: int
    timezone: str
    first_event: int


class SiteState(NamedTuple):
    """The extent of the rows and the cells of a site."""

    kept_since: int
    """The start (ms) of the days that retention has kept; 0 if all of them."""
    window: HotWindow | None
    """None if none of the rows were evicted."""
    cells: CellState | None
    """None if there are no cells."""


class GoalCells(NamedTuple):
    """The cells of a goal are valid for the days (of an edition) from *since* until *until* (ms).

    Those of a replica begin with the rows that it had when they were built.
    """

    edition: str
    since: int
    until: int


def read(connection: Connection, site: str, goals: Sequence[str] = ()) -> SiteState:
    """Return the state of *site*, the cells being those of *goals* (keys) too, if there are any."""
    kept = connection.rows("SELECT since FROM kept_since WHERE site = ?", [site])
    since = int(kept[0][0]) if kept else 0
    hot = window(connection, site)
    valid = cells(connection, site)
    if valid is not None and goals:
        valid = _of_goals(valid, hot, list(goal_cells(connection, site, goals).values()), goals)
    return SiteState(since, hot, valid)


def window(connection: Connection, site: str) -> HotWindow | None:
    """Return the window of *site*, or None if none of its rows were evicted."""
    windows = connection.rows(
        "SELECT since, timezone, first_event FROM windows WHERE site = ?", [site]
    )
    return HotWindow(*windows[0]) if windows else None


def cells(connection: Connection, site: str) -> CellState | None:
    """Return up to when the cells of *site* are valid, or None if there are none."""
    states = connection.rows("SELECT timezone, until FROM cell_state WHERE site = ?", [site])
    return CellState(*states[0]) if states else None


def goal_cells(connection: Connection, site: str, goals: Sequence[str]) -> dict[str, GoalCells]:
    """Return up to when the cells of those of *goals* are valid that have any, by key."""
    return {
        goal: GoalCells(*state)
        for goal, *state in connection.rows(
            "SELECT goal, timezone, since, until FROM goal_cells"
            " WHERE site = $site AND list_contains($goals, goal)",
            {"site": site, "goals": list(goals)},
        )
    }


def _of_goals(
    site: CellState, hot: HotWindow | None, known: Sequence[GoalCells], goals: Sequence[str]
) -> CellState | None:
    """Return for which days the cells of a *site* and of all *goals* are valid; None if none."""
    if len(known) < len({*goals}) or any(each.edition != site.edition for each in known):
        return None
    # Who reached a goal on an evicted day is not known.
    since = max(0 if hot is None else hot.since, *(each.since for each in known))
    return CellState(site.edition, min(site.until, *(each.until for each in known)), since)
