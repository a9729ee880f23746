"""`analytics rebuild`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import click

from analytics.admin import rebuilding
from analytics.cli import consent, progress_bar, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run
from analytics.dimension_facts import blank
from analytics.pipeline.replay_figures import RebuiltFigure
from analytics.wording import counted

_MOST_VALUES: Final = 10
"""The number of changed values of one figure and day that the table lists."""
_NONE_COMPARED: Final = "None of the figures that are compared changes."
_NOT_COMPARED: Final = (
    "Not compared: figures by hour, those of events and visitors by a dimension of their visits,"
    " means by such a dimension, and visits of machines. These may change, too."
)


@click.command()
@click.option("--site", "sites", multiple=True, metavar="SITE", help="Only this site's events.")
@click.option("--apply", is_flag=True, help="Store the result, where it is only shown without.")
@consent.YES
@as_json
@common
def rebuild(sites: tuple[str, ...], *, apply: bool, yes: bool, as_json: bool) -> None:
    """Decide stored events again by today's rules, and show which figures change.

    Each event counts as if it had come when it happened. Nothing is changed without --apply.
    Visits, sources and channels are decided again, and the names of machines; events that came
    late join the visits in which they belong. It may be interrupted, and run again.
    """
    if yes and not apply:
        raise click.UsageError("--yes answers the question that --apply asks; give both")
    request = rebuilding.Rebuild(sites=sites)
    ask = partial(run, settings(), request=request, answer=rebuilding.RebuildResult)
    must_ask = apply and consent.must_ask(yes=yes)
    if must_ask or not apply:
        with progress_bar.shown("Comparing") as report:
            preview = ask("rebuild.preview", report=report)
        if not apply:
            _show(preview, as_json=as_json)
            return
        _show(preview, as_json=False)
        if not preview.rows:
            return
        events = counted(preview.rows, "event")
        days = counted(sum(each.days for each in preview.sites), "day")
        consent.ask(f"This changes {events} and the figures of {days} for good. Go on?")
    with progress_bar.shown("Rebuilding") as report:
        done = ask("rebuild", report=report)
    if must_ask and not as_json:
        echo(f"{counted(done.rows, 'event')} changed.")
    else:
        _show(done, as_json=as_json)


def _show(result: rebuilding.RebuildResult, *, as_json: bool) -> None:
    if as_json:
        show_json(result)
        return
    heads = ("Site", "Day", "Figure", "Before", "After")
    table.show(
        heads, _rows(result), empty="No figure changes." if not result.rows else _NONE_COMPARED
    )
    for each in result.sites:
        if hidden := each.figures - len(_listed(each.changes)):
            more = counted(hidden, "more figure")
            echo(f"… and {more} of {each.site}; --json lists up to 10,000")
    if result.rows:
        echo(_NOT_COMPARED)
    verb = "changed" if result.applied else "would change (store that with --apply)"
    events = sum(each.events for each in result.sites)
    echo(f"{result.rows:,} of {counted(events, 'event')} {verb}.")


def _rows(result: rebuilding.RebuildResult) -> Iterator[tuple[str, ...]]:
    for each in result.sites:
        for change in _listed(each.changes):
            figure = change.figure
            if change.dimension:
                figure += f" by {change.dimension} {change.value or blank(change.dimension)}"
            yield each.site, change.day, figure, _shown(change.before), _shown(change.after)


def _listed(changes: Sequence[RebuiltFigure]) -> Sequence[RebuiltFigure]:
    """Return the changes without those of a day's figure that change less than others do."""
    groups: defaultdict[tuple[str, str, str], list[RebuiltFigure]] = defaultdict(list)
    for change in changes:
        groups[change.day, change.dimension, change.figure].append(change)
    return [
        change
        for group in groups.values()
        for change in sorted(group, key=_difference, reverse=True)[:_MOST_VALUES]
    ]


def _difference(change: RebuiltFigure) -> float:
    return abs((change.after or 0) - (change.before or 0))


def _shown(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:,.2f}".removesuffix("0").removesuffix(".0")
