"""`analytics sql`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from analytics.admin import sql as asking
from analytics.api.sql import SqlNotes, document
from analytics.cli import fetched_file, table
from analytics.cli.options import common, settings
from analytics.cli.output import echo
from analytics.cli.run import run
from analytics.printable import escaped
from analytics.store.sql_question import SqlFormat

_TABLE: Final = "table"


@click.command()
@click.argument("statement", required=False)
@click.option(
    "--site", "sites", multiple=True, metavar="SITE", help="Only this site, or these [all]."
)
@click.option("--from", "start", metavar="ISO", help="First day, or moment [the first event].")
@click.option("--to", "end", metavar="ISO", help="Last day, or moment [the last event].")
@click.option(
    "--format",
    "format_",
    type=click.Choice([_TABLE, *map(str, SqlFormat)]),
    default=_TABLE,
    show_default=True,
    help="How to show the rows.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="[standard output]")
@common
def sql(
    statement: str | None,
    sites: tuple[str, ...],
    start: str | None,
    end: str | None,
    format_: str,
    output: Path | None,
) -> None:
    """Answer STATEMENT, one SELECT (else standard input), about events, visits and cells.

    \b
    analytics sql "SELECT path, count(*) FROM events WHERE bot IS NULL GROUP BY path"
    analytics sql "DESCRIBE visits"

    Nothing can be changed, and nothing else be read. A day is one of the site, of UTC where several
    sites are asked about.
    """
    if output is None and format_ == SqlFormat.PARQUET and sys.stdout.isatty():
        raise click.UsageError("parquet is not for a terminal; give --output FILE")
    if output is not None and format_ == _TABLE:
        raise click.UsageError("a table is for reading; give --format json, csv or parquet")
    request = asking.AskSql(
        statement=sys.stdin.read() if statement in (None, "-") else statement or "",
        sites=sites,
        start=start,
        end=end,
        format=SqlFormat.JSON if format_ == _TABLE else SqlFormat(format_),
    )
    done = run(settings(), "sql", request, asking.SqlAnswered)
    waiting = Path(done.file)
    if request.format is not SqlFormat.JSON:
        fetched_file.fetch(waiting, output)
    else:
        rows = waiting.read_bytes()
        waiting.unlink(missing_ok=True)
        if format_ == _TABLE:
            _show(done.notes, rows)
        else:
            fetched_file.write(document(done.notes, rows) + b"\n", output)
    for remark in _remarks(done.notes):
        echo(remark, err=True)


def _show(notes: SqlNotes, rows: bytes) -> None:
    table.show(
        [column.name for column in notes.columns],
        ([_shown(value) for value in row] for row in json.loads(rows)),
        empty="No rows.",
    )


def _shown(value: object) -> str:
    """Return the text of a table cell: NULL as nothing, text on one line."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escaped(text, keep="")


def _remarks(notes: SqlNotes) -> Iterator[str]:
    if notes.truncated:
        yield (
            f"There are more rows; these are the first {notes.row_count:,} (store.sql_rows). Ask"
            " for sums or for fewer days."
        )
    for site, day in notes.held_since.items():
        yield (
            f"This replica holds the events and visits of {site} from {day} on, and let go of older"
            " ones (store.hot_days); a replica with store.hot_days = 0 has all. cells has all days."
        )
    if notes.as_of is not None:
        at = datetime.fromtimestamp(notes.as_of / 1000, UTC).isoformat(timespec="seconds")
        yield f"The events are complete up to {at}; later ones may be missing."
