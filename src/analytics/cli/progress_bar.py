"""Shows a progress bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from analytics.admin.operation_context import Progress, Report


@contextmanager
def shown(title: str) -> Iterator[Report]:
    """Yield the function to which to report progress while the block runs."""
    with click.progressbar(
        length=0,
        label=title,
        item_show_func=lambda label: label,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:

        def report(progress: Progress) -> None:
            bar.length = progress.total or None
            bar.update(progress.done - bar.pos, progress.label)

        yield report
