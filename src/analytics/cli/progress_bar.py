"""A progress bar on a terminal; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from analytics.admin.operation_context import Progress, Report


@contextmanager
def shown(title: str) -> Iterator[Report]:
    """Where to report progress to while the block runs."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # Here, because importing it takes longer than most commands run.
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[label]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, label="")

        def report(progress: Progress) -> None:
            total = progress.total or None
            bar.update(task, completed=progress.done, total=total, label=progress.label)

        yield report
