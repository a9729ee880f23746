"""The guards of a cluster's servers: one for each server, shared by the whole process."""

from __future__ import annotations

from typing import Final

from analytics.breaker import Breaker, BreakerLimits
from analytics.guard import Guard
from analytics.settings import CassandraSettings, IgniteSettings, SparkSettings

_WITHOUT_IGNITE: Final = (
    "Figures come from what this server has copied, and say as of when; sites, people and keys "
    "can be read and not be changed."
)
_WITHOUT_CASSANDRA: Final = (
    "Ignite keeps what it could not write yet, and writes it when Cassandra is back; an audit "
    "says that nobody looked there."
)
_WITHOUT_SPARK: Final = (
    "Questions that need rows which this server let go are refused, with the day from which on it "
    "has them all."
)
_QUESTIONS: Final = 64
"""The most calls that may wait; the job answers a few at a time."""


def ignite(settings: IgniteSettings) -> Guard:
    """Return the guard of all connections to Ignite."""
    return Guard(Breaker("ignite", _WITHOUT_IGNITE, _limits(settings)), most=settings.max_calls)


def cassandra(settings: CassandraSettings) -> Guard:
    """Return the guard of all connections to Cassandra."""
    breaker = Breaker("cassandra", _WITHOUT_CASSANDRA, _limits(settings))
    return Guard(breaker, most=settings.max_calls)


def spark(settings: SparkSettings) -> Guard:
    """Return the guard of all queries to the Spark job. Slow ones do not indicate a fault."""
    limits = BreakerLimits(slow_s=settings.question_timeout_s, in_a_row=3)
    return Guard(Breaker("spark", _WITHOUT_SPARK, limits), most=_QUESTIONS)


def _limits(settings: IgniteSettings | CassandraSettings) -> BreakerLimits:
    return BreakerLimits(
        slow_s=settings.timeout_s / 2, retry_after_s=settings.retry_after_s, in_a_row=3
    )
