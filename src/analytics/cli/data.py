"""Commands that hand events out, copy them, delete them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from analytics.admin import backup as backups
from analytics.admin import erasing, exporting
from analytics.cli import consent, fetched_file, progress_bar
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run
from analytics.control import unix_socket
from analytics.data_folder import DataFolder
from analytics.errors import Conflict
from analytics.store.base import ExportFormat
from analytics.wording import counted


@click.command()
@click.option("--site", required=True, metavar="SITE", help="Whose events.")
@click.option("--from", "start", metavar="ISO", help="First day, or moment [the first event].")
@click.option("--to", "end", metavar="ISO", help="Last day, or moment [the last event].")
@click.option(
    "--format",
    "format_",
    type=click.Choice([*map(str, ExportFormat)]),
    default="ndjson",
    show_default=True,
    help="What to write.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="[standard output]")
@click.option("--visitor", type=int, metavar="NUMBER", help="Only this visitor's events.")
@click.option("--cookie", metavar="VALUE", help="Only events of the visitor with this cookie _va.")
@common
def export(
    site: str,
    start: str | None,
    end: str | None,
    format_: str,
    output: Path | None,
    visitor: int | None,
    cookie: str | None,
) -> None:
    """Write a site's events to a file.

    One row each, those of machines and the pings included. A date means the site's whole day,
    and --to includes it; a moment as --to is exclusive. In csv, a text that a spreadsheet would run
    as a formula has an apostrophe in front; ndjson and parquet hold it as it is.
    """
    if output is None and format_ == ExportFormat.PARQUET and sys.stdout.isatty():
        raise click.UsageError("parquet is not for a terminal; give --output FILE")
    request = exporting.Export(
        site=site,
        format=ExportFormat(format_),
        start=start,
        end=end,
        visitor=visitor,
        cookie=cookie,
    )
    with progress_bar.shown(f"Exporting {site}") as report:
        done = run(settings(), "export", request, exporting.Exported, report=report)
    fetched_file.fetch(Path(done.file), output)
    if output is not None:
        echo(f"{done.rows:,} events of {done.site} are in {output}.", err=True)


@click.command()
@click.option("--site", required=True, metavar="SITE", help="Whose events.")
@click.option("--visitor", type=int, metavar="NUMBER", help="As `export` shows it.")
@click.option("--cookie", metavar="VALUE", help="What the visitor's cookie _va holds.")
@click.option("--everything", is_flag=True, help="Every event of the site.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="TEXT",
    help="Visits with such an event, as in 'event:page is /x'; of several, all must hold.",
)
@click.option("--from", "start", metavar="ISO", help="Visits with an event from this day on.")
@click.option("--to", "end", metavar="ISO", help="Visits with an event up to this day.")
@consent.YES
@as_json
@common
def erase(
    site: str,
    visitor: int | None,
    cookie: str | None,
    filters: tuple[str, ...],
    start: str | None,
    end: str | None,
    *,
    everything: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete events of one visitor, of certain visits or of a site for good.

    With --filter, --from and --to every visit that has such an event in that time goes as a whole.
    """
    by_visit = bool(filters or start or end)
    if (visitor is not None) + (cookie is not None) + everything + by_visit != 1:
        raise click.UsageError(
            "give one of --visitor NUMBER, --cookie VALUE, --everything, or --filter, --from, --to"
        )
    request = erasing.Erase(
        site=site, visitor=visitor, cookie=cookie, filters=filters, start=start, end=end
    )
    if consent.must_ask(yes=yes):
        matching = run(settings(), "erase.count", request, erasing.EraseResult)
        whose = "of everybody" if everything else "of this visitor"
        if matching.visits is not None:
            whose = f"in {counted(matching.visits, 'visit')}"
        events = counted(matching.rows, "event")
        imports = ""
        if matching.imports:
            imports = f" and {counted(matching.imports, 'import')} of other products"
        consent.ask(f"This deletes {events} {whose}{imports} on {matching.site} for good. Go on?")
    with progress_bar.shown(f"Erasing from {site}") as report:
        done = run(settings(), "erase", request, erasing.EraseResult, report=report)
    if as_json:
        show_json(done)
    elif done.visits is not None:
        events, visits = counted(done.rows, "event"), counted(done.visits, "visit")
        echo(f"{events} of {done.site}, in {visits}, are deleted.")
    else:
        echo(f"{done.rows:,} events of {done.site} are deleted.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@common
def backup(file: Path, *, as_json: bool) -> None:
    """Copy everything into FILE, also while the server runs.

    FILE holds people's emails, password hashes and the visitors' events: keep it safe.
    """
    if file.exists():
        raise click.UsageError(f"{file} exists already; name a new file")
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"{file.absolute().parent} is not a folder")
    with progress_bar.shown("Backing up") as report:
        done = run(settings(), "backup", backups.Backup(), backups.BackedUp, report=report)
    fetched_file.fetch(Path(done.file), file)
    if as_json:
        show_json(backups.BackedUp(file=str(file.absolute()), bytes=done.bytes))
    else:
        echo(f"{file} holds everything ({done.bytes:,} bytes).")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@common
def restore(file: Path) -> None:
    """Make a data folder out of the backup FILE.

    The folder (--data) must be new or empty, so that nothing is ever overwritten.
    """
    data = settings().data
    connection = unix_socket.connect(DataFolder(data).socket)
    if connection is not None:
        connection.close()
        raise Conflict(f"a server runs on {data}; restore into a new folder with --data")
    with progress_bar.shown("Restoring") as report:
        backups.restore(file, data, report)
    echo(
        f"{data} is restored; start it with `analytics serve --data {data}`. Visitors without a"
        " cookie who were there today count anew: a backup holds nothing to know them by.",
        err=True,
    )
