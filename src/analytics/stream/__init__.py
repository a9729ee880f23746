"""The event log: where a hit becomes durable, and from where it is read back in order."""

from analytics.stream.base import Batch, EventLog, Position

__all__ = ["Batch", "EventLog", "Position"]
