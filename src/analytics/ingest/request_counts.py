"""Counts of accepted events and refused requests, for the metrics page."""

from __future__ import annotations

from collections import Counter

from analytics.errors import AnalyticsError


class RequestCounts:
    """Plain counters, incremented on the event loop only.

    `refusals` maps an error code to its count.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.refusals: Counter[str] = Counter()

    def refused(self, error: AnalyticsError) -> None:
        """Count one refusal under its error's code."""
        self.refusals[error.code] += 1
