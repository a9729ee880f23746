"""Rows for the store's tests, made by the pipeline from a few hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics.event import Hit
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_SOURCES: Final = Sources()


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
