"""Prints a table with aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analytics.cli.output import echo


def show(heads: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print *rows* under *heads*; *empty* when there are none."""
    table = [list(row) for row in rows]
    if not table:
        echo(empty)
        return
    widths = [max(map(len, column)) for column in zip(heads, *table, strict=True)]
    for row in (list(heads), *table):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        echo("  ".join(cells).rstrip())
