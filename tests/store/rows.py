"""Rows for the store's tests, made by the pipeline from a few hits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Final
from uuid import UUID

from analytics.event import Hit
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState

SITE: Final = "shop.example"
NOON: Final = 1_795_521_600_000
"""2026-11-24 12:00 UTC."""
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_numbers = count(1)
_SOURCES: Final = Sources()


def hit(at: int, **values: object) -> Hit:
    """A pageview of `/` by visitor 1, or what *values* say instead."""
    given: dict[str, object] = {
        "event_id": str(UUID(int=next(_numbers))),
        "site": SITE,
        "ts": at,
        "received_at": at,
        "visitor": 1,
        "hostname": SITE,
        "path": "/",
        **values,
    }
    return Hit(**given)  # type: ignore[arg-type]


class Log:
    """Folds hits into batches, as a projector with one memory would."""

    def __init__(self) -> None:
        self.offset = 0
        self.state = PipelineState(_SOURCES)

    def batch(self, hits: Sequence[Hit]) -> WriteBatch:
        records = list(enumerate(hits, self.offset))
        outcome = fold(records, self.state, set())
        self.offset += len(hits)
        return WriteBatch(outcome.rows, outcome.ledger, (), 0, self.offset)
