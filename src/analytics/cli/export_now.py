"""`analytics export-now`."""

from __future__ import annotations

import click

from analytics.admin import exporting_now
from analytics.cli import progress_bar
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run
from analytics.wording import counted


@click.command("export-now")
@as_json
@common
def export_now(*, as_json: bool) -> None:
    """Run the scheduled export at once, to exports.target.

    Days that have not changed since they were exported are left alone, so it can be run again after
    an interruption, and goes on.
    """
    with progress_bar.shown("Exporting") as report:
        done = run(
            settings(),
            "export.now",
            exporting_now.ExportNow(),
            exporting_now.ExportedNow,
            report=report,
        )
    if as_json:
        show_json(done)
    else:
        days, events = counted(done.written, "day"), counted(done.rows, "event")
        echo(f"{days} with {events} are written to {done.target}, {done.deleted:,} deleted there.")
