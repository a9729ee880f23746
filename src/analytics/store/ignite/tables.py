"""The tables in Ignite, which the configuration of its nodes and our driver code both follow.

Names avoid the reserved words of three SQL dialects (`partition`, `rows`), because the same
ones are columns in Ignite and in Cassandra.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

SCHEMA: Final = "PUBLIC"
"""The SQL schema of every table in Ignite."""


class ColumnType(Enum):
    """The type of a column: its Java class, JDBC type number, and CQL type."""

    TEXT = ("java.lang.String", 12, "text")
    LONG = ("java.lang.Long", -5, "bigint")
    BYTES = ("[B", -3, "blob")

    def __init__(self, java: str, jdbc: int, cql: str) -> None:
        self.java = java
        self.jdbc = jdbc
        self.cql = cql


class Column(NamedTuple):
    """One column."""

    name: str
    kind: ColumnType


class Table(NamedTuple):
    """One cache of Ignite, seen as a table."""

    name: str
    """The name of the cache, the SQL table, and the table in Cassandra if it is durable."""
    value_type: str
    """The type of the cache's values."""
    key: Column
    columns: tuple[Column, ...]
    """All but the key."""
    indexes: tuple[tuple[str, ...], ...] = ()
    durable: bool = False
    """Whether Ignite writes it behind to Cassandra."""
    expires_after_s: int | None = None
    """Seconds after its last write at which a row expires; None: never."""


CHUNKS: Final = Table(
    name="chunks",
    value_type="Chunk",
    key=Column("chunk_id", ColumnType.TEXT),
    columns=(
        Column("kind", ColumnType.TEXT),
        Column("site", ColumnType.TEXT),
        Column("hour", ColumnType.LONG),
        Column("log_partition", ColumnType.LONG),
        Column("first_offset", ColumnType.LONG),
        Column("last_offset", ColumnType.LONG),
        Column("row_count", ColumnType.LONG),
        Column("schema_version", ColumnType.LONG),
        Column("payload", ColumnType.BYTES),
    ),
    indexes=(("site", "hour"), ("log_partition", "first_offset")),
    durable=True,
)
CATALOG: Final = Table(
    name="catalog",
    value_type="Document",
    key=Column("document_id", ColumnType.TEXT),
    columns=(
        Column("kind", ColumnType.TEXT),
        Column("owner", ColumnType.TEXT),
        Column("revision", ColumnType.LONG),
        Column("body", ColumnType.BYTES),
    ),
    indexes=(("kind", "owner"),),
    durable=True,
)
REPLICAS: Final = Table(
    name="replicas",
    value_type="Replica",
    key=Column("address", ColumnType.TEXT),
    columns=(
        Column("modules", ColumnType.TEXT),
        Column("release", ColumnType.TEXT),  # the driver's objects have a `version` of their own
        Column("started_at", ColumnType.LONG),
        Column("fault", ColumnType.TEXT),
        Column("seen_at", ColumnType.LONG),
    ),
    expires_after_s=300,  # each row has a shorter lease besides
)
TABLES: Final = (CHUNKS, CATALOG, REPLICAS)
