"""The state of the pipeline between batches: open visits, and the ids it has seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from analytics.event import Hit, LogRecord
from analytics.pipeline.dedupe import ALWAYS, Seen, SeenFilter, SeenNothing, Unsure
from analytics.pipeline.sessions import KEEP_MS, Sessions, Visitor
from analytics.pipeline.source import Sources
from analytics.pipeline.visit import Visit

Records = Sequence[tuple[int, LogRecord]]
"""Decoded records, each with its offset in the log, in log order."""


class Memory(Protocol):
    """The state that `fold` reads and updates."""

    @property
    def sources(self) -> Sources:
        """The tables of sources."""

    @property
    def sessions(self) -> Sessions:
        """The visits that an event of the batch may join."""

    @property
    def seen(self) -> Seen:
        """The filter in which every new id is recorded."""


class Recalled:
    """The memory for one batch, for a caller who looks everything up.

    *visits* are all those that the visitors of the batch may still join: what the store knows
    of them, whose `touched` is less than `REACH_MS` before the batch's earliest `received_at`.
    """

    def __init__(self, sources: Sources, visits: Iterable[Visit]) -> None:
        self.sources = sources
        self.sessions = Sessions(visits=visits)
        self.seen = SeenNothing()


class PipelineState:
    """The memory of `fold`. Not for several threads at once.

    The caller goes through these steps for each batch, and starts the next one only when the
    outcome is stored (a failed write is tried again as it is, never folded again):

        known = <which of state.unsure(records) are stored: (site, event_id)>
        state.load(<the stored visits of state.absent(records)>)
        outcome = fold(records, state, known)

    *newest* is the latest `received_at` among the stored rows, None when there are none;
    *visits* are the stored ones touched at newest - keep_ms or later. With *newest* the filter
    of ids vouches for nothing at first; `SeenFilter` says how to catch up.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        newest: int | None = None,
        visits: Iterable[Visit] = (),
        keep_ms: int = KEEP_MS,
    ) -> None:
        self.sources = sources
        self.sessions = Sessions(newest=newest, visits=visits, keep_ms=keep_ms)
        self.seen = SeenFilter(complete_since=ALWAYS if newest is None else newest + 1)

    def unsure(self, records: Records) -> list[Unsure]:
        """Return the hits that may be copies of stored ones, to be looked up exactly."""
        surely_new = self.seen.surely_new
        return [
            Unsure(hit.site, hit.event_id, hit.ts, hit.received_at)
            for _, hit in records
            if type(hit) is Hit and not surely_new(hit.site, hit.event_id, hit.ts, hit.received_at)
        ]

    def absent(self, records: Records) -> set[Visitor]:
        """Return the (site, visitor) pairs whose stored visits must be loaded before the fold."""
        surely_new = self.seen.surely_new
        return self.sessions.absent(
            (hit for _, hit in records if type(hit) is Hit),
            lambda hit: surely_new(hit.site, hit.event_id, hit.ts, hit.received_at),
        )

    def load(self, visits: Iterable[Visit]) -> None:
        """Add the stored visits of the visitors that `absent` returned."""
        self.sessions.load(visits)


_: tuple[type[Memory], type[Memory]] = (PipelineState, Recalled)
