"""How many requests ingest took and refused, for the metrics page."""

from __future__ import annotations

from collections import Counter

from analytics.errors import AnalyticsError


class RequestCounts:
    """Plain numbers, raised on the event loop only."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refusals: Counter[str] = Counter()

    def refused(self, error: AnalyticsError) -> None:
        """Count one refusal under its error's code."""
        self.refusals[error.code] += 1
