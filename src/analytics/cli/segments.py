"""`analytics segment`."""

from __future__ import annotations

from typing import Final

import click

from analytics.admin import segments
from analytics.cli import consent, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run


@click.group()
def segment() -> None:
    """Add, list, change and remove segments: filters of a site, saved under a name."""


FILTERS: Final = (
    'All must match, in the JSON of the Stats API: \'[["is", "visit:country", ["DE"]]]\'.'
)
OWNER: Final = "The email address of the person whose own it is; '' shares it with everybody."


@segment.command()
@click.argument("site", metavar="SITE")
@click.argument("name", metavar="NAME")
@click.option("--filters", metavar="JSON", required=True, help=FILTERS)
@click.option("--owner", metavar="EMAIL", default="", help=OWNER)
@as_json
@common
def add(site: str, name: str, *, filters: str, owner: str, as_json: bool) -> None:
    """Save filters of SITE under NAME, for everybody who sees the site."""
    request = segments.AddSegment(site=site, name=name, filters=filters, owner=owner)
    added = run(settings(), "segment.add", request, segments.SegmentShown)
    if as_json:
        show_json(added)
    else:
        echo(f"{added.name} is a segment of {added.site}; its id is {added.id}.")


@segment.command()
@click.argument("site", metavar="SITE")
@click.argument("current", metavar="SEGMENT")
@click.option("--name", metavar="TEXT", help="What it is called.")
@click.option("--filters", metavar="JSON", help=FILTERS)
@click.option("--owner", metavar="EMAIL", help=OWNER)
@as_json
@common
def change(site: str, current: str, *, as_json: bool, **options: str | None) -> None:
    """Change the segment SEGMENT (its id or name) of SITE: what is not given stays as it is."""
    changes = {name: value for name, value in options.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change; --help shows what can be given")
    request = segments.ChangeSegment(site=site, segment=current, **changes)
    changed = run(settings(), "segment.change", request, segments.SegmentShown)
    if as_json:
        show_json(changed)
    else:
        whose = f"the own one of {changed.owner}" if changed.owner else "shared by everybody"
        echo(f"{changed.name} of {changed.site}, {whose}: {bytes(changed.filters).decode()}")


@segment.command("list")
@click.argument("site", metavar="SITE")
@as_json
@common
def list_(site: str, *, as_json: bool) -> None:
    """List all segments of SITE, shared and personal ones."""
    request = segments.ListSegments(site=site)
    every = run(settings(), "segment.list", request, list[segments.SegmentShown])
    if as_json:
        show_json(every)
        return
    table.show(
        ("ID", "NAME", "WHOSE", "FILTERS"),
        (
            (str(each.id), each.name, each.owner or "shared", bytes(each.filters).decode())
            for each in every
        ),
        empty=f"No segment yet; add one with `analytics segment add {site} NAME --filters JSON`.",
    )


@segment.command()
@click.argument("site", metavar="SITE")
@click.argument("name", metavar="SEGMENT")
@consent.YES
@as_json
@common
def remove(site: str, name: str, *, yes: bool, as_json: bool) -> None:
    """Remove the segment SEGMENT (its id or name) of SITE; no event is deleted."""
    request = segments.NamedSegment(site=site, segment=name)
    if consent.must_ask(yes=yes):
        current = run(settings(), "segment.show", request, segments.SegmentShown)
        whose = f"the own one of {current.owner}" if current.owner else "shared by everybody"
        consent.ask(
            f"This removes the segment {current.name} of {current.site}, {whose}:"
            f" {bytes(current.filters).decode()}. Go on?"
        )
    removed = run(settings(), "segment.remove", request, segments.SegmentShown)
    if as_json:
        show_json(removed)
    else:
        echo(f"The segment {removed.name} of {removed.site} is removed.")
