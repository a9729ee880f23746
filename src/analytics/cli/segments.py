"""`analytics segment`."""

from __future__ import annotations

import click

from analytics.admin import goals
from analytics.cli import consent, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run


@click.group()
def segment() -> None:
    """List and remove segments, the filters of a site that were saved under a name."""


@segment.command("list")
@click.argument("site", metavar="SITE")
@as_json
@common
def list_(site: str, *, as_json: bool) -> None:
    """List the segments of SITE, shared ones and everybody's own."""
    asked = goals.ListGoals(site=site)
    every = run(settings(), "segment.list", asked, list[goals.SegmentShown])
    if as_json:
        show_json(every)
        return
    table.show(
        ("ID", "NAME", "WHOSE", "FILTERS"),
        (
            (str(each.id), each.name, each.owner or "shared", bytes(each.filters).decode())
            for each in every
        ),
        empty="No segment yet; a report saves its filters as one.",
    )


@segment.command()
@click.argument("site", metavar="SITE")
@click.argument("name", metavar="SEGMENT")
@consent.YES
@as_json
@common
def remove(site: str, name: str, *, yes: bool, as_json: bool) -> None:
    """Remove the segment SEGMENT (its id or name) of SITE; no event is deleted."""
    asked = goals.NamedSegment(site=site, segment=name)
    if consent.must_ask(yes=yes):
        known = run(settings(), "segment.show", asked, goals.SegmentShown)
        whose = f"the own one of {known.owner}" if known.owner else "shared by everybody"
        consent.ask(
            f"This removes the segment {known.name} of {known.site}, {whose}:"
            f" {bytes(known.filters).decode()}. Go on?"
        )
    removed = run(settings(), "segment.remove", asked, goals.SegmentShown)
    if as_json:
        show_json(removed)
    else:
        echo(f"{removed.name} is no segment of {removed.site} any more.")
