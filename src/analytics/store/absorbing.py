"""How what was folded elsewhere becomes durable here: in one transaction, erasures obeyed."""

from __future__ import annotations

from analytics.store import erasing, writing
from analytics.store.base import Prepared
from analytics.store.connection import Connection, transaction


def absorb(connection: Connection, prepared: Prepared) -> dict[str, int]:
    """Make *prepared* durable, all or nothing; for each site, from which moment on it changes."""
    changed = dict(prepared.earliest)
    with transaction(connection):
        if prepared.rows is not None:
            connection.run(
                "INSERT INTO rows SELECT * FROM read_parquet($file)", {"file": str(prepared.rows)}
            )
            writing.pull_back(connection, prepared.earliest)
        writing.add_to_ledger(connection, prepared.ledger)
        for erasure in prepared.erasures:
            for site, moment in erasing.obey(connection, erasure).earliest.items():
                changed[site] = min(moment, changed.get(site, moment))
        writing.add_dead(connection, prepared.partition, prepared.dead)
        writing.set_offset(connection, prepared.partition, prepared.next_offset)
    return changed
