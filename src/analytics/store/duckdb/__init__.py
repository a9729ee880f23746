"""DuckDB, the engine that answers queries; only this package imports its driver."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analytics.exchange_rates import RatesFile
from analytics.query import Filter
from analytics.settings import StoreSettings
from analytics.store.duckdb.sql_process import SqlLimits
from analytics.store.duckdb.store import DuckDBStore
from analytics.store.lag import Lag, none

__all__ = ["DuckDBStore", "open_store"]


def open_store(
    settings: StoreSettings,
    path: Path,
    *,
    timezones: Callable[[], Mapping[str, str]],
    goals: Callable[[], Mapping[str, Sequence[Filter]]],
    lag: Callable[[], Lag | None] = none,
    hot_days: int = 0,
) -> DuckDBStore:
    """Return the store in the file *path* as *settings* say; its `async with` block opens it.

    Rows older than *hot_days* are evicted, because another store keeps them; 0 evicts none.
    Raise `Misconfigured` for a file of exchange rates that cannot be read.
    """
    rates = settings.exchange_rates
    return DuckDBStore(
        path,
        rates=None if rates is None else RatesFile(rates, settings.exchange_base).current,
        timezones=timezones,
        goals=goals,
        memory_limit=f"{settings.memory_limit >> 20}MiB",
        threads=settings.threads or os.cpu_count() or 1,
        queue_timeout_s=settings.queue_timeout_s,
        query_timeout_s=settings.query_timeout_s,
        lag=lag,
        hot_days=hot_days,
        sql=SqlLimits(
            memory=settings.sql_memory,
            rows=settings.sql_rows,
            at_once=settings.sql_at_once,
            seconds=settings.query_timeout_s,
            patience_s=settings.queue_timeout_s,
        ),
    )
