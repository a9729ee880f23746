"""Writes the contents of a batch: rows, ledger, dead letters, offset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from analytics.errors import StoreUnavailable
from analytics.event import Row
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine
from analytics.store.connection import Connection

_encoder: Final = msgspec.json.Encoder()

_ADD_LEDGER: Final = """
INSERT INTO ledger
SELECT unnest(from_json($lines, '[{"site": "VARCHAR", "hour": "BIGINT", "received": "BIGINT",
    "stored": "BIGINT", "duplicate": "BIGINT", "dead": "BIGINT", "erased": "BIGINT"}]'),
    recursive := true)
ON CONFLICT DO UPDATE SET
    received = received + excluded.received,
    stored = stored + excluded.stored,
    duplicate = duplicate + excluded.duplicate,
    dead = dead + excluded.dead,
    erased = erased + excluded.erased
"""

_ADD_DROPS: Final = """
INSERT INTO drops
SELECT unnest(from_json($drops,
    '[{"site": "VARCHAR", "hour": "BIGINT", "reason": "VARCHAR", "count": "BIGINT"}]'),
    recursive := true)
ON CONFLICT DO UPDATE SET count = count + excluded.count
"""

_ADD_DEAD: Final = """
INSERT INTO dead_letters
SELECT $partition, log_offset, received_at, reason, from_base64(payload) FROM (
    SELECT unnest(from_json($dead, '[{"log_offset": "BIGINT", "received_at": "BIGINT",
        "reason": "VARCHAR", "payload": "VARCHAR"}]'), recursive := true))
"""

_PULL_BACK: Final = """
UPDATE {table} SET until = least(until, earliest) FROM (
    SELECT unnest(from_json($touched, '[{{"marked": "VARCHAR", "earliest": "BIGINT"}}]'),
        recursive := true))
WHERE site = marked AND earliest < until
"""

_SET_OFFSET: Final = """
INSERT INTO offsets VALUES ($partition, $next_offset)
ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset
"""


class RowFile:
    """Loads rows through a file of JSON lines, the engine's fastest input from Python."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._folder = folder
        described = connection.rows(
            "SELECT column_name, data_type FROM duckdb_columns()"
            " WHERE table_name = 'rows' ORDER BY column_index"
        )
        # Names and types come from our own schema, so they may stand in a statement.
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in described)
        self._insert = (
            "INSERT INTO rows SELECT * FROM read_json($file, format = 'newline_delimited',"
            f" compression = 'none', columns = {{{columns}}})"
        )

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Add *rows* in the caller's transaction."""
        path = self._folder / f"{uuid4().hex}.ndjson"
        try:
            path.write_bytes(_encoder.encode_lines(rows))
            connection.run(self._insert, {"file": str(path)})
        except OSError as exc:
            raise StoreUnavailable(
                f"The data folder cannot take rows ({exc.strerror}): {self._folder}."
                " Make room there; nothing is lost meanwhile."
            ) from exc
        finally:
            path.unlink(missing_ok=True)


def touched(rows: Iterable[Row]) -> dict[str, int]:
    """Return, for each site, the earliest time (ms) whose figures *rows* change.

    A row counts when it happened, and in the visit's own day too.
    """
    earliest: dict[str, int] = {}
    for row in rows:
        if row.bot is not None:
            continue  # cells leave machines out
        moment = min(row.ts, row.session_start) if row.session else row.ts
        if moment < earliest.get(row.site, moment + 1):
            earliest[row.site] = moment
    return earliest


def pull_back(connection: Connection, earliest: Mapping[str, int]) -> None:
    """Invalidate the cells of days from these times on: rows answer them until the next build."""
    if earliest:
        marks = [{"marked": site, "earliest": moment} for site, moment in earliest.items()]
        for table in ("cell_state", "goal_cells"):
            connection.run(_PULL_BACK.format(table=table), {"touched": _json(marks)})


def add_to_ledger(connection: Connection, lines: Mapping[LedgerKey, LedgerLine]) -> None:
    """Add the counts of *lines* to the stored ledger."""
    sums = [
        {
            "site": key.site,
            "hour": key.hour,
            "received": line.received,
            "stored": line.stored,
            "duplicate": line.duplicate,
            "dead": line.dead,
            "erased": line.erased,
        }
        for key, line in lines.items()
    ]
    drops = [
        {"site": key.site, "hour": key.hour, "reason": reason, "count": count}
        for key, line in lines.items()
        for reason, count in line.dropped.items()
    ]
    if sums:
        connection.run(_ADD_LEDGER, {"lines": _json(sums)})
    if drops:
        connection.run(_ADD_DROPS, {"drops": _json(drops)})


def set_offset(connection: Connection, partition: int, next_offset: int) -> None:
    """Record that everything before *next_offset* is in the store."""
    connection.run(_SET_OFFSET, {"partition": partition, "next_offset": next_offset})


def add_dead(connection: Connection, partition: int, letters: Sequence[DeadLetter]) -> None:
    """Store *letters*."""
    if not letters:
        return
    dead = [
        {
            "log_offset": letter.offset,
            "received_at": letter.received_at,
            "reason": letter.reason,
            "payload": letter.payload,  # msgspec writes bytes as base64
        }
        for letter in letters
    ]
    connection.run(_ADD_DEAD, {"partition": partition, "dead": _json(dead)})


def _json(values: object) -> str:
    return _encoder.encode(values).decode()
