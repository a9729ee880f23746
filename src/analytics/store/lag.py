"""The lag of the figures behind the log, where it is large enough to mention.

A hit is counted a moment after it is durable, so there is nearly always one that is not. Pages and
answers speak of it when more wait than the figures take in at one step, or when one waits longer
than a reader would expect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from analytics.store.freshness import Freshness

STALE_MS: Final = 10_000
"""Figures that may lack events older than this are shown with their age."""
MANY: Final = 5_000
"""The hits of one batch of the projector: more of them are a backlog, however recent."""


class Lag(NamedTuple):
    """The durable hits that are not in the figures."""

    records: int
    """The number of hits of all sites; 0 if it is not known."""
    as_of: int
    """The latest time (UTC ms) up to which nothing is missing; 0 if it is not known."""


class LagGauge:
    """Compares the log with the figures of this process."""

    def __init__(
        self, freshness: Freshness, records: Callable[[], int], clock: Callable[[], int]
    ) -> None:
        self._freshness = freshness
        self._records = records
        self._clock = clock
        self._opened_at = clock()

    def lag(self) -> Lag | None:
        """Return what the figures lack, or None if that is not worth mentioning."""
        records, complete_at = self._records(), self._freshness.complete_at
        old = self._clock() - max(complete_at, self._opened_at) > STALE_MS
        return Lag(records, complete_at) if records >= MANY or (records and old) else None


def none() -> Lag | None:
    """Return None: the figures of a store without a writer lack nothing."""
    return None
