"""The ledger: the outcomes of all hits, counted by site and hour so that no loss goes unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from analytics.event import Drop, DropReason, Row
from analytics.pipeline.erasure import Ordered
from analytics.units import HOUR_MS

ERASURE: Final = "erasure"
"""The reason that an erasure request is counted under, without a site. It is not a hit, but the
ledger counts every record of the log."""


_FOREIGN: Final = f"{DropReason.FOREIGN_HOST.value}:"
"""The prefix of the reason for a foreign host; its name follows."""


def ledger_reason(drop: Drop) -> str:
    """Return the reason that the ledger counts *drop* under, with the name of a foreign host."""
    return f"{_FOREIGN}{drop.hostname}" if drop.hostname else str(drop.reason)


def by_reason(dropped: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of *dropped* with those of all foreign hosts as one."""
    sums: dict[str, int] = {}
    for counted_as, count in dropped.items():
        reason = DropReason.FOREIGN_HOST.value if counted_as.startswith(_FOREIGN) else counted_as
        sums[reason] = sums.get(reason, 0) + count
    return sums


class LedgerKey(NamedTuple):
    """One line of the ledger: a site and a UTC hour (milliseconds) of `received_at`."""

    site: str
    hour: int


class LedgerLine(NamedTuple):
    """The outcomes of the hits of one `LedgerKey`.

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
    """A record that could not be decoded, as it was."""

    offset: int
    received_at: int
    reason: str
    payload: bytes


class Tally:
    """Counts while a batch is folded."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], _Counts] = {}

    def of(self, site: str, received_at: int) -> _Counts:
        """Return the counters for a hit of *site* received at that time."""
        key = (site, received_at - received_at % HOUR_MS)
        counts = self._lines.get(key)
        if counts is None:
            counts = self._lines[key] = _Counts()
        return counts

    def lines(self) -> dict[LedgerKey, LedgerLine]:
        """Return the lines of the ledger."""
        return {
            LedgerKey(*key): LedgerLine(
                received=line.stored + line.duplicate + sum(line.dropped.values()) + line.dead,
                stored=line.stored,
                duplicate=line.duplicate,
                dropped=line.dropped,
                dead=line.dead,
            )
            for key, line in self._lines.items()
        }


class _Counts:
    __slots__ = ("dead", "dropped", "duplicate", "stored")

    def __init__(self) -> None:
        self.stored = 0
        self.duplicate = 0
        self.dropped: dict[str, int] = {}
        self.dead = 0

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


def count_dead(letters: Iterable[DeadLetter]) -> dict[LedgerKey, LedgerLine]:
    """Return the ledger of undecodable records; their site is unknown, so it is ""."""
    tally = Tally()
    for letter in letters:
        tally.of("", letter.received_at).dead += 1
    return tally.lines()


def add(
    one: Mapping[LedgerKey, LedgerLine], other: Mapping[LedgerKey, LedgerLine]
) -> dict[LedgerKey, LedgerLine]:
    """Return the sum of both ledgers."""
    total = dict(one)
    for key, line in other.items():
        total[key] = _sum(total[key], line) if key in total else line
    return total


def _sum(one: LedgerLine, other: LedgerLine) -> LedgerLine:
    reasons = one.dropped.keys() | other.dropped.keys()
    return LedgerLine(
        received=one.received + other.received,
        stored=one.stored + other.stored,
        duplicate=one.duplicate + other.duplicate,
        dropped={r: one.dropped.get(r, 0) + other.dropped.get(r, 0) for r in sorted(reasons)},
        dead=one.dead + other.dead,
        erased=one.erased + other.erased,
    )


class WriteBatch(NamedTuple):
    """The changes that one step of the projector writes, in one transaction."""

    rows: Sequence[Row]
    ledger: Mapping[LedgerKey, LedgerLine]
    dead: Sequence[DeadLetter]
    partition: int
    next_offset: int
    """The offset of the first record that was not processed."""
    erasures: Sequence[Ordered] = ()
    """Erasures to apply, to these rows too."""
