"""The state of a site that decides how its queries are answered: kept, evicted, in cells."""

from __future__ import annotations

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


def read(connection: Connection, site: str) -> SiteState:
    """Return the state of *site*."""
    kept = connection.rows("SELECT since FROM kept_since WHERE site = ?", [site])
    since = int(kept[0][0]) if kept else 0
    return SiteState(since, window(connection, site), cells(connection, site))


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
