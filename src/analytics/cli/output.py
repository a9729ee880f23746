"""Results as JSON on standard output."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec


def show_json(result: object) -> None:
    """Print *result* as one line of JSON."""
    click.echo(msgspec.json.encode(result).decode())


def day(at_ms: int) -> str:
    """The day of a moment, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
