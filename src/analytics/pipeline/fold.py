"""The fold: a batch of the log becomes rows to store."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import NamedTuple

from msgspec.structs import astuple

from analytics.event import Drop, Erasure, Hit, Row
from analytics.pipeline.ledger import ERASURE, LedgerKey, LedgerLine, Tally, ledger_reason
from analytics.pipeline.state import Memory, Records


class FoldResult(NamedTuple):
    """The result of processing a batch."""

    rows: list[Row]
    ledger: Mapping[LedgerKey, LedgerLine]


def fold(records: Records, state: Memory, known: Set[tuple[str, str]]) -> FoldResult:
    """Drop copies, name sources, and place what is left in visits.

    *known* are the ids, of those that `state.unsure` named, that are stored already. See
    `State` for what must come before and after. An `Erasure` is counted, and ends the visits that
    it leaves nothing of; to delete rows is for whoever has them.
    """
    rows: list[Row] = []
    tally = Tally()
    taken = set(known)
    latest = -1
    for offset, record in records:
        if type(record) is Erasure:
            tally.of("", record.until).drop(ERASURE)
            state.sessions.end(record)
            continue
        counts = tally.of(record.site, record.received_at)  # type: ignore[union-attr]
        if type(record) is Drop:
            counts.drop(ledger_reason(record))
            continue
        hit: Hit = record  # type: ignore[assignment]
        key = (hit.site, hit.event_id)
        if key in taken:
            counts.duplicate += 1
            continue
        taken.add(key)
        state.seen.remember(hit.site, hit.event_id, hit.received_at)
        rows.append(_row(hit, offset, state))
        counts.stored += 1
        latest = max(latest, hit.received_at)
    if rows:
        state.sessions.forget(latest)
    return FoldResult(rows, tally.lines())


def _row(hit: Hit, offset: int, state: Memory) -> Row:
    # By position, as naming 64 columns takes longer than all the rest; a test holds the order
    # to that of the classes: attributes up to the referrer, the others, who and when, the rest.
    fields = astuple(hit)
    source, channel = state.sources.resolve(
        hit.referrer, hit.utm_source, hit.utm_medium, hit.utm_campaign, hit.click_id
    )
    columns = (
        *fields[20:26],
        *fields[:4],
        source,
        channel,
        *fields[4:20],
        *fields[26:],
        offset,
        *state.sessions.place(hit, offset, source, channel),
    )
    return Row(*columns)
