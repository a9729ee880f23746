"""Converts rows to Arrow tables and back; the schema of chunks and of replicas' files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import astuple

from analytics.event import Row

_TEXT: Final = pa.string()
_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(Row.__struct_fields__, _TEXT),
    **dict.fromkeys(("ts", "received_at", "engaged_ms", "skew_ms", "log_offset"), pa.int64()),
    **dict.fromkeys(("session_start", "gap_ms"), pa.int64()),
    **dict.fromkeys(("visitor", "session"), pa.uint64()),
    **dict.fromkeys(("opens", "engages"), pa.int8()),
    "scroll_depth": pa.int16(),
    "interactive": pa.bool_(),
    "props": pa.map_(_TEXT, _TEXT),
}
SCHEMA: Final = pa.schema(list(_TYPES.items()))
_PROPS: Final = SCHEMA.get_field_index("props")


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Return *rows* as a table of `SCHEMA`, in the same order."""
    if not rows:
        return SCHEMA.empty_table()
    columns: list[Sequence[Any]] = list(zip(*map(astuple, rows), strict=True))
    columns[_PROPS] = [list(props.items()) for props in columns[_PROPS]]
    arrays = [
        pa.array(values, type=kind) for values, kind in zip(columns, _TYPES.values(), strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def to_rows(table: pa.Table) -> list[Row]:
    """Return the rows of *table*, of `SCHEMA`, in the same order."""
    columns = [column.to_pylist() for column in table.columns]
    columns[_PROPS] = [dict(props) for props in columns[_PROPS]]
    return [Row(*values) for values in zip(*columns, strict=True)]


def save(table: pa.Table, path: Path) -> None:
    """Write *table* to *path* as uncompressed Parquet, the format DuckDB reads fastest."""
    pq.write_table(table, path, compression="none", use_dictionary=False, write_statistics=False)


def earliest(table: pa.Table) -> dict[str, int]:
    """Map each site to the earliest time (UTC ms) whose figures the rows of *table* change.

    Rows of bots change none. A row of a visit may change figures from the visit's start on.
    """
    table = table.filter(pc.is_null(table["bot"]))
    moment = pc.if_else(
        pc.not_equal(table["session"], pa.scalar(0, pa.uint64())),
        pc.min_element_wise(table["ts"], table["session_start"]),
        table["ts"],
    )
    by_site = pa.table({"site": table["site"], "moment": moment}).group_by("site")
    return {
        site.as_py(): at.as_py()
        for site, at in zip(*by_site.aggregate([("moment", "min")]).columns, strict=True)
    }
