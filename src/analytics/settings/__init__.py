"""The settings of an operator: their tree, their sources, and how they are combined."""

from analytics.settings.backends import (
    CassandraSettings,
    ClusterSettings,
    IgniteSettings,
    KafkaSettings,
    LogSettings,
)
from analytics.settings.discovery import DiscoverSettings, EurekaSettings, RegistrySettings
from analytics.settings.load import load
from analytics.settings.spark import SparkSettings
from analytics.settings.tree import (
    IngestSettings,
    JournalSettings,
    LogsSettings,
    ServeSettings,
    Settings,
    StoreSettings,
)

__all__ = [
    "CassandraSettings",
    "ClusterSettings",
    "DiscoverSettings",
    "EurekaSettings",
    "IgniteSettings",
    "IngestSettings",
    "JournalSettings",
    "KafkaSettings",
    "LogSettings",
    "LogsSettings",
    "RegistrySettings",
    "ServeSettings",
    "Settings",
    "SparkSettings",
    "StoreSettings",
    "load",
]
