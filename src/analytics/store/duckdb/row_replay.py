"""Decides stored rows again, some visitors at a time, so that memory is bounded.

A *part* of a site is the rows of those visitors whose number leaves one remainder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec

from analytics.errors import StoreUnavailable
from analytics.event import Row
from analytics.pipeline.replay import REDONE, ReplayedRow, replay
from analytics.pipeline.source import Sources
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import writing

_AS_TEXT: Final = ("event_id", "revenue")
_COLUMNS: Final = ", ".join(
    f"{name}::VARCHAR" if name in _AS_TEXT else name for name in Row.__struct_fields__
)
_OF_PART: Final = f"SELECT {_COLUMNS} FROM rows WHERE site = $site AND visitor % $parts = $part"
_OF_VISITORS: Final = (
    f"SELECT {_COLUMNS} FROM rows WHERE site = $site"
    " AND visitor IN (SELECT unnest(from_json($visitors, '[\"UBIGINT\"]')))"
)
_encoder: Final = msgspec.json.Encoder()


def part(
    connection: Connection, *, site: str, number: int, parts: int, sources: Sources
) -> list[ReplayedRow]:
    """Decide a part again, and change nothing."""
    rows = _rows(connection, _OF_PART, {"site": site, "part": number, "parts": parts})
    return replay([*rows], sources)


def apply(
    connection: Connection,
    *,
    site: str,
    visitors: Collection[int],
    sources: Sources,
    folder: Path,
) -> list[ReplayedRow]:
    """Decide the rows of *visitors* again and store the result, in one transaction."""
    named = _encoder.encode(sorted(visitors)).decode()
    with transaction(connection):
        rows = replay(
            [*_rows(connection, _OF_VISITORS, {"site": site, "visitors": named})], sources
        )
        changed = [each for each in rows if each.is_changed]
        if changed:
            _update(connection, site, [each.replayed for each in changed], folder)
            for version in ([each.stored for each in changed], [each.replayed for each in changed]):
                writing.pull_back(connection, writing.touched(version))
    return rows


def _rows(connection: Connection, sql: str, values: dict[str, object]) -> Iterator[Row]:
    texts: dict[str, str] = {}
    """Each text once: most columns have few values."""
    for chunk in connection.chunks(sql, values):
        for record in chunk:
            columns: list[Any] = [
                texts.setdefault(each, each) if type(each) is str else each for each in record
            ]
            yield Row(*columns)


def _update(connection: Connection, site: str, rows: Sequence[Row], folder: Path) -> None:
    """Replace the columns that are decided again; what was received is not written anew."""
    described: dict[str, str] = dict(
        connection.rows(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'rows'"
        )
    )
    # Names and types come from our own schema, so they may stand in a statement.
    columns = ", ".join(f"{name}: '{described[name]}'" for name in ("event_id", *REDONE))
    values = ", ".join(f"{name} = decided.{name}" for name in REDONE)
    path = folder / f"{uuid4().hex}.ndjson"
    try:
        path.write_bytes(
            _encoder.encode_lines(
                {name: getattr(row, name) for name in ("event_id", *REDONE)} for row in rows
            )
        )
        connection.run(
            f"UPDATE rows SET {values} FROM read_json($file, format = 'newline_delimited',"
            f" compression = 'none', columns = {{{columns}}}) AS decided"
            " WHERE rows.site = $site AND rows.event_id = decided.event_id",
            {"file": str(path), "site": site},
        )
    except OSError as exc:
        raise StoreUnavailable(
            f"The data folder cannot take rows ({exc.strerror}): {folder}. Make room there, and run"
            " the command again; nothing is lost."
        ) from exc
    finally:
        path.unlink(missing_ok=True)
