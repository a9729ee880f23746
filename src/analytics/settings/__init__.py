"""What the operator may set."""

from analytics.settings.load import load
from analytics.settings.tree import (
    Ingest,
    Journal,
    Logs,
    Serve,
    Settings,
    Store,
)

__all__ = ["Ingest", "Journal", "Logs", "Serve", "Settings", "Store", "load"]
