"""Applies today's rules to stored events again, in the order in which they happened.

The pipeline places an event by what its visitor had sent before it; what comes late comes after
events that happened later. Here all events of a visitor are at hand, and each is placed as if it
had been received when it happened.

What a row does not keep cannot be decided again: the user agent (whether it was a machine), the
address (the place), the salt (the visitor's number), the referrer's scheme (whether it was an app).
Those columns stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from operator import attrgetter
from typing import Final, NamedTuple

from msgspec import structs

from analytics import machines
from analytics.event import Hit, Row
from analytics.pipeline.sessions import Sessions
from analytics.pipeline.source import Sources
from analytics.pipeline.visit import Visit, visits_from_rows

_FIELDS: Final = Row.__struct_fields__
_OF_SESSION: Final = _FIELDS[_FIELDS.index("session") :]
REDONE: Final = ("source", "channel", "browser", *_OF_SESSION)
"""The columns that are decided again."""

_redone: Final = attrgetter(*REDONE)
_of_session: Final = attrgetter(*_OF_SESSION)
_of_hit: Final = attrgetter(*Hit.__struct_fields__)


class ReplayedRow(NamedTuple):
    """A row as it is stored, and as today's rules make it: the same object if they agree."""

    stored: Row
    replayed: Row

    @property
    def is_changed(self) -> bool:
        """Whether they differ."""
        return self.stored is not self.replayed


def replay(rows: Sequence[Row], sources: Sources) -> list[ReplayedRow]:
    """Decide *rows* again, which are all rows of their visitors; return them by event time.

    A visit whose first rows are gone (retention deletes whole days) stays as it is: what opened it
    is not here any more. Other events may join it.
    """
    cut = _cut(rows)
    sessions = Sessions(visits=_visits([row for row in rows if row.session in cut]))
    done: list[ReplayedRow] = []
    for row in sorted(rows, key=lambda row: (row.ts, row.log_offset)):
        hit = _hit(row)
        source, channel = sources.resolve(
            hit.referrer, hit.utm_source, hit.utm_medium, hit.utm_campaign, hit.click_id
        )
        if row.session in cut:
            placed = _of_session(row)
        else:
            placed = sessions.place(hit, row.log_offset, source, channel)
        columns = (source, channel, hit.browser, *placed)
        if columns == _redone(row):
            done.append(ReplayedRow(row, row))
        else:
            changed = structs.replace(row, **dict(zip(REDONE, columns, strict=True)))
            done.append(ReplayedRow(row, changed))
    return done


def changed_visitors(rows: Iterable[ReplayedRow]) -> Set[int]:
    """Return the visitors of whom some row has changed."""
    return {each.stored.visitor for each in rows if each.is_changed}


def _hit(row: Row) -> Hit:
    """Return what was sent, as if it had been received when it happened."""
    fields = dict(zip(Hit.__struct_fields__, _of_hit(row), strict=True))
    fields["received_at"] = row.ts
    if row.bot is not None:
        fields["browser"] = machines.current_name(row.browser)
    return Hit(**fields)


def _cut(rows: Iterable[Row]) -> Set[int]:
    """Return the visits whose opening row is not among *rows*."""
    visits, opened = set(), set()
    for row in rows:
        visits.add(row.session)
        if row.opens:
            opened.add(row.session)
    return visits - opened - {0}


def _visits(rows: Iterable[Row]) -> list[Visit]:
    visits = visits_from_rows(rows)
    for visit in visits:
        visit.first = min(visit.first, visit.session_start)
        visit.touched = visit.last  # by event time, as all else here
    return visits
