"""Event storage: the SQL compiler, DuckDB, a cluster's chunks, and a replica's copy of them."""
