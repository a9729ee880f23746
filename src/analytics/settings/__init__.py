"""What the operator may set."""

from analytics.settings.backends import Cassandra, Cluster, Ignite, Kafka, Log
from analytics.settings.discovery import Discover, Eureka, Registry
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
    "Discover",
    "Eureka",
    "Ignite",
    "Ingest",
    "Journal",
    "Kafka",
    "Log",
    "Logs",
    "Registry",
    "Serve",
    "Settings",
    "Spark",
    "Store",
    "load",
]
