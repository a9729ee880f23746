"""The event log: where a hit becomes durable, and from where it is read back in order."""

from analytics.stream.base import Appending, Batch, EventLog, Position

__all__ = ["Appending", "Batch", "EventLog", "Position"]
