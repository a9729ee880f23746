"""The ledger: what became of every hit, counted by site and hour so that nothing is lost unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from analytics.event import Row

HOUR_MS: Final = 3_600_000


class LedgerKey(NamedTuple):
    """One line of the ledger: a site and a UTC hour (milliseconds) of `received_at`."""

    site: str
    hour: int


class LedgerLine(NamedTuple):
    """What became of the hits of one `LedgerKey`.

    received = stored + duplicate + sum(dropped) + dead; `erased` counts stored rows that
    retention or an erasure deleted afterwards.
    """

    received: int
    stored: int
    duplicate: int
    dropped: Mapping[str, int]
    dead: int
    erased: int = 0


class DeadLetter(NamedTuple):
    """A record that could not be understood, kept as it was."""

    offset: int
    received_at: int
    reason: str
    payload: bytes


class WriteBatch(NamedTuple):
    """What one step of the projector hands over, all or nothing."""

    rows: Sequence[Row]
    ledger: Mapping[LedgerKey, LedgerLine]
    dead: Sequence[DeadLetter]
    partition: int
    next_offset: int
    """Where the log will be read next."""
