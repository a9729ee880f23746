"""Results as JSON on standard output."""

from __future__ import annotations

import click
import msgspec


def show_json(result: object) -> None:
    """Print *result* as one line of JSON."""
    click.echo(msgspec.json.encode(result).decode())
