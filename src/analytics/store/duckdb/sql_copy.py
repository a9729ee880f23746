"""Copies of what a question in SQL needs: the columns that it names, of the sites it is about."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from analytics import bounds, localtime
from analytics.errors import Malformed, StoreUnavailable
from analytics.query import Dimension
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb.sql_views import CELLS, EVENTS, VIEWS, VISITS, ViewColumn
from analytics.store.sql import keys
from analytics.store.sql_question import SqlQuestion
from analytics.units import DAY_MS

_SPARE_BYTES: Final = 1 << 30
"""Free space left to everything else on the disk, in bytes."""

Needs = Mapping[str, Sequence[str]]
"""For each view that a question names, the columns to copy."""


def copy(
    connection: Connection, question: SqlQuestion, needs: Needs, folder: Path
) -> tuple[Mapping[str, Path], Mapping[str, int]]:
    """Write each needed view to a Parquet file; return the files, and what `held_since` is.

    Raise `Malformed` when that would be too much to copy, `StoreUnavailable` without room.
    """
    free = shutil.disk_usage(folder).free
    if free < _SPARE_BYTES:
        raise StoreUnavailable(
            f"the disk has {free >> 20} MiB left, too little to answer questions in SQL: make room"
        )
    files = {view: folder / f"{view}.parquet" for view in needs}
    with transaction(connection):  # one state for all views
        _check_size(connection, question, needs)
        for view, path in files.items():
            select = _SELECTS[view](connection, question, needs[view])
            target = str(path).replace("'", "''")
            connection.run(f"COPY ({select}) TO '{target}' (FORMAT parquet)")
        first_days = (
            _held_since(connection, question.sites) if {"events", "visits"} & set(needs) else {}
        )
    return files, first_days


def checked(needs: Mapping[str, Iterable[str]]) -> Needs:
    """Return *needs*, which another process says, with the names that are known alone, in order."""
    return {
        view: [name for name in columns if name in set(needs[view])] or ["site"]
        for view, columns in VIEWS.items()
        if view in needs
    }


def _check_size(connection: Connection, question: SqlQuestion, needs: Needs) -> None:
    ((rows,),) = connection.rows(
        f"SELECT count(*) FROM rows WHERE {_of_sites(question.sites)} AND {_span('ts', question)}"
    )
    width = max((len(columns) for view, columns in needs.items() if view != "cells"), default=0)
    if rows * width > bounds.SQL_VALUES:
        raise Malformed(
            "sql",
            f"it needs {width} columns of {rows:,} events, and may read {bounds.SQL_VALUES:,}"
            " values: name the columns that it needs instead of *, or ask about fewer days with"
            " `from` and `to`",
        )


def _events(connection: Connection, question: SqlQuestion, names: Collection[str]) -> str:
    where = _span("ts", question)
    return _union(connection, question, EVENTS, names, "ts", where, "")


def _visits(connection: Connection, question: SqlQuestion, names: Collection[str]) -> str:
    where = f"session <> 0 AND {_span('session_start', question)}"
    # The event that opened a visit may have been evicted, and the visit is then an older one.
    grouped = "GROUP BY site, session HAVING sum(opens) > 0"
    moment = "any_value(session_start)"
    return _union(connection, question, VISITS, names, moment, where, grouped)


def _union(
    connection: Connection,
    question: SqlQuestion,
    columns: Mapping[str, ViewColumn],
    names: Collection[str],
    moment: str,
    where: str,
    grouped: str,
) -> str:
    """Return a select for each time zone, of the sites whose days are cut by it."""
    ((first, last),) = connection.rows(
        "SELECT min(least(ts, CASE session WHEN 0 THEN ts ELSE session_start END)), max(ts)"
        f" FROM rows WHERE {_of_sites(question.sites)}"
    )
    # Whole days, so that a zone's changes over them are remembered.
    start, end = ((at or 0) // DAY_MS * DAY_MS for at in (first, last))
    return " UNION ALL ".join(
        f"SELECT {_selected(columns, names, _day(moment, zone, start, end + DAY_MS))} FROM rows"
        f" WHERE {_of_sites(sites)} AND {where} {grouped}"
        for zone, sites in _by_zone(question.sites)
    )


def _cells(connection: Connection, question: SqlQuestion, names: Collection[str]) -> str:
    states = connection.rows("SELECT site, timezone, until FROM cell_state")
    valid = [
        f"(sums.site = {_text(site)} AND day >= {_first_day(zone, question.start)}"
        f" AND day < {localtime.day_of(zone, min(until, question.end))})"
        for site, edition, until in states
        if (zone := question.sites.get(site)) and localtime.edition(zone) == edition
    ]
    by_gap = (
        "SELECT site, dimension, value, day, CAST(sum(visitors) AS BIGINT) AS visitors,"
        " map_from_entries(list((gap, visitors) ORDER BY gap)) AS by_gap FROM cell_visitors"
        f" WHERE {_of_sites(question.sites)} GROUP BY ALL"
    )
    return (
        f"SELECT {_selected(CELLS, names, 'day')} FROM cell_sums AS sums"
        f" LEFT JOIN ({by_gap}) AS gaps USING (site, dimension, value, day)"
        f" WHERE sums.dimension <> '{Dimension.GOAL}' AND ({' OR '.join(valid) or 'false'})"
    )


_SELECTS: Final = {"events": _events, "visits": _visits, "cells": _cells}


def _held_since(connection: Connection, sites: Collection[str]) -> dict[str, int]:
    windows = connection.rows(f"SELECT site, since FROM windows WHERE {_of_sites(sites)}")
    return {str(site): int(since) for site, since in windows}


def _selected(columns: Mapping[str, ViewColumn], names: Collection[str], day: str) -> str:
    """Return the select list; its names come from the table of views alone."""
    return ", ".join(
        f"{columns[name].sql.replace('{day}', day)} AS {name}" for name in columns if name in names
    )


def _day(moment: str, zone: str, start: int, end: int) -> str:
    return f"{keys.local_ms_sql(moment, localtime.changes(zone, start, end))} // {DAY_MS}"


def _first_day(zone: str, start: int) -> int:
    """Return the first local day that lies wholly behind *start*."""
    return 0 if start <= 0 else localtime.day_of(zone, start - 1) + 1


def _span(column: str, question: SqlQuestion) -> str:
    return f"{column} >= {question.start:d} AND {column} < {question.end:d}"


def _by_zone(sites: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    ordered = sorted(sites, key=lambda site: (sites[site], site))
    return [(zone, list(group)) for zone, group in groupby(ordered, sites.__getitem__)]


def _of_sites(sites: Collection[str]) -> str:
    return f"site IN ({', '.join(map(_text, sorted(sites)))})" if sites else "false"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
