"""What the operator may set."""

from analytics.settings.backends import Cassandra, Cluster, Ignite, Kafka, Log
from analytics.settings.load import load
from analytics.settings.spark import Spark
from analytics.settings.tree import (
    Ingest,
    Journal,
    Logs,
    Serve,
    Settings,
    Store,
)

__all__ = [
    "Cassandra",
    "Cluster",
    "Ignite",
    "Ingest",
    "Journal",
    "Kafka",
    "Log",
    "Logs",
    "Serve",
    "Settings",
    "Spark",
    "Store",
    "load",
]
