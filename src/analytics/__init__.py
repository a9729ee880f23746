"""Visitor analytics whose figures can be trusted."""

__version__ = "0.2.0"
