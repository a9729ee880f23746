"""What commands print: for a person's terminal, or as JSON on standard output."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from analytics.printable import escaped


def echo(text: str = "", *, err: bool = False) -> None:
    """Print *text* as a line; characters that would steer the terminal are shown as escapes.

    Figures hold what strangers sent, and a name may hold a terminal's command.
    """
    click.echo(escaped(text, keep="\n\t"), err=err)


def show_json(result: object) -> None:
    """Print *result* as one line of JSON."""
    echo(msgspec.json.encode(result).decode())


def day(at_ms: int) -> str:
    """The day of a moment, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
