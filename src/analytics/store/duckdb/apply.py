"""Writes a batch, processed here or elsewhere, in one transaction, and applies erasures."""

from __future__ import annotations

from analytics.pipeline.ledger import WriteBatch
from analytics.store.base import Prepared
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import row_erasure, writing
from analytics.store.duckdb.row_erasure import ErasedRows


def write(connection: Connection, batch: WriteBatch, file: writing.RowFile) -> dict[str, int]:
    """Write *batch* atomically; return the earliest time (ms) at which each site changes."""
    changed = writing.touched(batch.rows)
    with transaction(connection):
        if batch.rows:
            file.insert(connection, batch.rows)
            writing.pull_back(connection, changed)
        writing.add_to_ledger(connection, batch.ledger)
        writing.add_dead(connection, batch.partition, batch.dead)
        for offset, erasure in batch.erasures:
            _note(changed, row_erasure.obey(connection, erasure, offset=offset))
        writing.set_offset(connection, batch.partition, batch.next_offset)
    return changed


def absorb(connection: Connection, prepared: Prepared) -> dict[str, int]:
    """Write *prepared* atomically; return the earliest time (ms) at which each site changes."""
    changed = dict(prepared.earliest)
    with transaction(connection):
        if prepared.rows is not None:
            connection.run(
                "INSERT INTO rows SELECT * FROM read_parquet($file)", {"file": str(prepared.rows)}
            )
            writing.pull_back(connection, prepared.earliest)
        writing.add_to_ledger(connection, prepared.ledger)
        writing.add_dead(connection, prepared.partition, prepared.dead)
        for erasure in prepared.erasures:
            _note(changed, row_erasure.obey(connection, erasure))
        writing.set_offset(connection, prepared.partition, prepared.next_offset)
    return changed


def _note(changed: dict[str, int], erased: ErasedRows) -> None:
    for site, moment in erased.earliest.items():
        changed[site] = min(moment, changed.get(site, moment))
