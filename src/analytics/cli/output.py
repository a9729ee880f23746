"""Prints the output of commands: for a person's terminal, or as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from analytics.printable import escaped


def echo(text: str = "", *, err: bool = False) -> None:
    """Print *text* as a line; characters that would control the terminal become escapes.

    Figures hold what strangers sent, and a name may hold a terminal's command.
    """
    click.echo(escaped(text, keep="\n\t"), err=err)


def show_json(result: object) -> None:
    """Print *result* as one line of JSON."""
    echo(msgspec.json.encode(result).decode())


def day(at_ms: int) -> str:
    """Return the UTC day of *at_ms* (ms), such as 2026-11-24."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
