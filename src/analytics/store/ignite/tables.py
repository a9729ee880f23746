"""The tables that Ignite holds, each column once: node configuration and driver follow it.

Names avoid the reserved words of three SQL dialects (`partition`, `rows`), because the same
ones are columns in Ignite and in Cassandra.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

SCHEMA: Final = "PUBLIC"
"""The SQL schema of every table in Ignite."""


class Kind(Enum):
    """What a column holds: its class in Java, its JDBC type's number, its type in CQL."""

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
    kind: Kind


class Table(NamedTuple):
    """One cache of Ignite, seen as a table."""

    name: str
    """Of the cache, of the SQL table, and of the table in Cassandra if it is durable."""
    value_type: str
    """The type of the cache's values."""
    key: Column
    columns: tuple[Column, ...]
    """All but the key."""
    indexes: tuple[tuple[str, ...], ...] = ()
    durable: bool = False
    """Whether Ignite writes it behind to Cassandra."""
    expires_after_s: int | None = None
    """How long after its last write a row is forgotten."""


CHUNKS: Final = Table(
    name="chunks",
    value_type="Chunk",
    key=Column("chunk_id", Kind.TEXT),
    columns=(
        Column("kind", Kind.TEXT),
        Column("site", Kind.TEXT),
        Column("hour", Kind.LONG),
        Column("log_partition", Kind.LONG),
        Column("first_offset", Kind.LONG),
        Column("last_offset", Kind.LONG),
        Column("row_count", Kind.LONG),
        Column("schema_version", Kind.LONG),
        Column("payload", Kind.BYTES),
    ),
    indexes=(("site", "hour"), ("log_partition", "first_offset")),
    durable=True,
)
CATALOG: Final = Table(
    name="catalog",
    value_type="Document",
    key=Column("document_id", Kind.TEXT),
    columns=(
        Column("kind", Kind.TEXT),
        Column("owner", Kind.TEXT),
        Column("revision", Kind.LONG),
        Column("body", Kind.BYTES),
    ),
    indexes=(("kind", "owner"),),
    durable=True,
)
REPLICAS: Final = Table(
    name="replicas",
    value_type="Replica",
    key=Column("address", Kind.TEXT),
    columns=(
        Column("modules", Kind.TEXT),
        Column("release", Kind.TEXT),  # the driver's objects have a `version` of their own
        Column("started_at", Kind.LONG),
        Column("fault", Kind.TEXT),
        Column("seen_at", Kind.LONG),
    ),
    expires_after_s=300,  # each row has a lease of its own besides
)
TABLES: Final = (CHUNKS, CATALOG, REPLICAS)
