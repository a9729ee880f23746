"""DuckDB, the one engine that answers queries; only this package imports its driver."""

from analytics.store.duckdb.store import DuckDBStore

__all__ = ["DuckDBStore"]
