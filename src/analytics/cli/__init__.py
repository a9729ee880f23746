"""The `analytics` command."""

from analytics.cli.main import main

__all__ = ["main"]
