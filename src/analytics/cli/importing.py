"""The commands that bring figures of the past in, list what came of other products, take it out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import click

from analytics.admin import importing, importing_sums
from analytics.admin.importing_sums import ImportShown
from analytics.cli import consent, progress_bar, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run
from analytics.imported.products import LABELS
from analytics.ingest.wire import log_diagnosis
from analytics.wording import counted

_MOST_WITHOUT_USER_AGENT: Final = 0.1
"""The share of page views above which an import warns: a public site sees some 2 %."""
_OF_SITE = click.option("--site", required=True, metavar="SITE", help="The site of the events.")
_FILE = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))


class Formats(click.Group):
    """What can be brought in, by its format; an unknown one is named with those that there are."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that *args* begin with. Raise `click.UsageError`."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            *others, last = map(repr, self.commands)
            ctx.fail(f"{args[0]!r} is not {', '.join(others)} or {last}")
        return super().resolve_command(ctx, args)


@click.group("import", cls=Formats)
def import_() -> None:
    """Bring in past visitors: an access log, or figures of another product.

    A log becomes events, as if they had been sent. Of other products there are daily sums, which
    are kept apart from events and join the answers that they can.
    """


@import_.command("access-log")
@_FILE
@_OF_SITE
@as_json
@common
def access_log(file: Path, site: str, *, as_json: bool) -> None:
    """Bring in past visitors from FILE (- for standard input), a web server's log.

    It is in the combined log format of Apache, nginx, lighttpd and Jetty, plain or gzipped. GETs of
    pages answered with 200 or 304 become page views; everything else is dropped, and counted by
    reason. Importing the same lines again stores nothing twice.
    """
    with ExitStack() as stack:
        source = _opened(file, stack)
        request = importing.ImportPast(format="access-log", site=site, bytes=_size(file))
        report = stack.enter_context(progress_bar.shown(f"Importing {file.name}"))
        done = run(settings(), "import", request, importing.Imported, source=source, report=report)
    if as_json:
        show_json(done)
    else:
        echo(_told(done))


@import_.command()
@_FILE
@_OF_SITE
@as_json
@common
def plausible(file: Path, site: str, *, as_json: bool) -> None:
    """Bring in the figures that Plausible exports: FILE is its ZIP archive (- for standard input).

    Days from the site's first own event on are left out, and those that another import has.
    Importing the same file again adds nothing.
    """
    with ExitStack() as stack:
        source = _opened(file, stack)
        request = importing_sums.ImportSums(
            product="plausible", site=site, file=file.name, bytes=_size(file)
        )
        report = stack.enter_context(progress_bar.shown(f"Importing {file.name}"))
        done = run(
            settings(),
            "import.sums",
            request,
            importing_sums.SumsImported,
            source=source,
            report=report,
        )
    if as_json:
        show_json(done)
    else:
        echo(_told_of_sums(done))


@import_.command("list")
@click.option("--site", required=True, metavar="SITE", help="Whose imports.")
@as_json
@common
def list_(site: str, *, as_json: bool) -> None:
    """List what was imported of other products: when, of which days, how much."""
    request = importing_sums.ListImports(site=site)
    imports = run(settings(), "import.list", request, list[ImportShown])
    if as_json:
        show_json(imports)
        return
    rows = [
        (
            str(each.id),
            LABELS[each.product],
            f"{each.first_day} to {each.last_day}",
            f"{each.visitors:,}",
            f"{each.pageviews:,}",
            f"{datetime.fromtimestamp(each.imported_at / 1000, UTC):%Y-%m-%d %H:%M}",
            each.file,
        )
        for each in imports
    ]
    table.show(
        ("ID", "PRODUCT", "DAYS", "VISITORS", "PAGEVIEWS", "IMPORTED (UTC)", "FILE"),
        rows,
        empty=f"{site} has no imports of other products.",
    )


@import_.command()
@click.argument("number", metavar="ID", type=click.IntRange(1))
@click.option("--site", required=True, metavar="SITE", help="Whose import.")
@consent.YES
@as_json
@common
def remove(number: int, site: str, *, yes: bool, as_json: bool) -> None:
    """Take the import ID, as `import list` shows it, out as a whole. Events stay as they are."""
    if consent.must_ask(yes=yes):
        request = importing_sums.ListImports(site=site)
        for each in run(settings(), "import.list", request, list[ImportShown]):
            if each.id == number:
                consent.ask(
                    f"This deletes {counted(each.rows, 'daily sum')} of {each.site} from"
                    f" {LABELS[each.product]}, {each.first_day} to {each.last_day}:"
                    f" {counted(each.visitors, 'visitor')} and"
                    f" {counted(each.pageviews, 'pageview')} leave its figures. Go on?"
                )
    named = importing_sums.NamedImport(site=site, id=number)
    removed = run(settings(), "import.remove", named, ImportShown)
    if as_json:
        show_json(removed)
    else:
        sums = counted(removed.rows, "daily sum")
        echo(f"Import {removed.id} of {removed.site} is taken out, with {sums}.")


def _size(file: Path) -> int:
    return 0 if str(file) == "-" else file.stat().st_size


def _opened(file: Path, stack: ExitStack) -> BinaryIO:
    if str(file) == "-":
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    if file.is_dir():
        raise click.UsageError(f"{file} is a folder; give a file")
    try:
        return stack.enter_context(file.open("rb", buffering=0))
    except OSError as exc:
        raise click.UsageError(f"{file}: {exc.strerror}") from exc


def _told(done: importing.Imported) -> str:
    lines = [
        f"{counted(done.lines, 'line')} read for {done.site}",
        f"  {done.pageviews:>9,} page views, {done.bots:,} of them by bots",
        f"  {done.stored:>9,} stored, {done.duplicate:,} were there already",
    ]
    lines += [f"  {count:>9,} dropped: {reason}" for reason, count in done.dropped.items()]
    if done.unreadable:
        numbers = ", ".join(map(str, done.unreadable_lines))
        more = ", …" if done.unreadable > len(done.unreadable_lines) else ""
        lines.append(f"  {done.unreadable:>9,} unreadable: line {numbers}{more}")
        for example in done.unreadable_examples:
            count = done.unreadable_because[example.because]
            lines.append(f"{count:>13,} of them: {example.because}")
            lines.append(f"{'':>13} the first is line {example.number}: {example.text}")
        lines.append(f"What can be read is the combined format, such as {log_diagnosis.EXAMPLE}")
    if done.days_of_sums:
        days = counted(done.days_of_sums, "day")
        lines.append(
            f"Warning: {days} of these are in an import of another product, too, and count twice."
            f" `analytics import list --site {done.site}` shows it. Removed and brought in again,"
            " it has none of the days from the site's first own event on, which is"
            f" {done.first_day_of_people} or earlier."
        )
        if done.days_of_sums_only:
            lines.append(
                f"  That loses {counted(done.days_of_sums_only, 'day')} or more of its range that"
                " this log lacks: bring their log in first, or leave the import as it is."
            )
    if done.without_user_agent > done.pageviews * _MOST_WITHOUT_USER_AGENT:
        share = 100 * done.without_user_agent // done.pageviews
        lines.append(
            f"Warning: {share} % of the page views have no user agent, so they count as machines'. "
            "If your server leaves it out of its log, let it write the combined format."
        )
    return "\n".join(lines)


def _told_of_sums(done: importing_sums.SumsImported) -> str:
    if (earlier := done.already) is not None:
        return f"{done.site} has this export already, as import {earlier.id}: nothing was added."
    lines = []
    if (added := done.added) is not None:
        sums = counted(added.rows, "daily sum")
        lines += [
            f"Import {added.id} of {added.site}: {added.first_day} to {added.last_day}, {sums}",
            f"  {added.visitors:>9,} visitors, as the sum of each day's",
            f"  {added.pageviews:>9,} pageviews",
        ]
    else:
        lines.append(f"Nothing was added to {done.site}: none of the days in the export counts.")
    if done.days_with_events:
        lines.append(
            f"{counted(done.days_with_events, 'day')} left out: {done.site} has its own events"
            " from then on"
        )
    lines += [
        f"{kind.replace('_', ' ')}: {counted(days, 'day')} left out: another import has them"
        for kind, days in done.days_left_out_by_kind.items()
    ]
    lines += [
        f"Warning: {file} has columns that are not known and were passed over: {', '.join(columns)}"
        for file, columns in done.ignored_columns.items()
    ]
    return "\n".join(lines)
