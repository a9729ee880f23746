"""`analytics goal`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from analytics.admin import goals
from analytics.cli import consent, table
from analytics.cli.options import F, as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run


@click.group()
def goal() -> None:
    """Add, list, change and remove goals: what you want visitors of a site to do."""


def _properties(_: click.Context, __: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values if value]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise click.BadParameter("give NAME=VALUE, such as plan=pro")
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise click.BadParameter("name each property once")
    return {name: value for name, _, value in pairs}


def _definition(function: F) -> F:
    """Add the options that define a goal to a command."""
    options = [
        click.option("--event", metavar="NAME", help="A custom event of this name."),
        click.option(
            "--page", metavar="PATH", help="A page that is viewed; * stands for any text."
        ),
        click.option(
            "--scroll",
            type=click.IntRange(1, 100),
            metavar="PERCENT",
            help="The page must be scrolled down so far.",
        ),
        click.option(
            "--property",
            "properties",
            multiple=True,
            metavar="NAME=VALUE",
            callback=_properties,
            help="The event must carry this property; can be given up to three times.",
        ),
        click.option("--name", metavar="TEXT", help="What reports and filters call it."),
        click.option("--currency", metavar="CODE", help="Sum its revenue in it, such as EUR."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@goal.command()
@click.argument("site", metavar="SITE")
@_definition
@as_json
@common
def add(site: str, *, as_json: bool, **options: Any) -> None:
    """Add a goal to SITE; events of the past count for it, too.

    Give --event or --page, or both for an event on certain pages.
    """
    request = goals.AddGoal(site=site, **_given(options))
    added = run(settings(), "goal.add", request, goals.GoalShown)
    if as_json:
        show_json(added)
    else:
        echo(f"{added.name} is a goal of {added.site}: {described(added)}.")


@goal.command("list")
@click.argument("site", metavar="SITE")
@as_json
@common
def list_(site: str, *, as_json: bool) -> None:
    """List the goals of SITE."""
    every = run(settings(), "goal.list", goals.ListGoals(site=site), list[goals.GoalShown])
    if as_json:
        show_json(every)
        return
    table.show(
        ("ID", "NAME", "LOOKS FOR", "CURRENCY"),
        ((str(each.id), each.name, described(each), each.currency or "-") for each in every),
        empty=f"No goal yet; add one with `analytics goal add {site}`.",
    )


@goal.command()
@click.argument("site", metavar="SITE")
@click.argument("current", metavar="GOAL")
@_definition
@click.option("--no-scroll", is_flag=True, help="However far the page is scrolled down.")
@click.option("--no-properties", is_flag=True, help="Whatever properties the event carries.")
@as_json
@common
def change(
    site: str, current: str, *, no_scroll: bool, no_properties: bool, as_json: bool, **options: Any
) -> None:
    """Change the goal GOAL (its name or id) of SITE: what is not given stays as it is.

    An empty text takes away what it stands for: --page '' is any page.
    """
    changes = {key: value for key, value in options.items() if value is not None and value != {}}
    if no_scroll:
        changes["scroll"] = None
    if no_properties:
        changes["properties"] = {}
    if not changes:
        raise click.UsageError("nothing to change; --help shows what can be given")
    request = goals.ChangeGoal(site=site, goal=current, **changes)
    changed = run(settings(), "goal.change", request, goals.GoalShown)
    if as_json:
        show_json(changed)
    else:
        echo(f"{changed.name} of {changed.site} is now: {described(changed)}.")


@goal.command()
@click.argument("site", metavar="SITE")
@click.argument("name", metavar="GOAL")
@consent.YES
@as_json
@common
def remove(site: str, name: str, *, yes: bool, as_json: bool) -> None:
    """Remove the goal GOAL (its name or id) of SITE; no event is deleted."""
    request = goals.NamedGoal(site=site, goal=name)
    if consent.must_ask(yes=yes):
        current = run(settings(), "goal.show", request, goals.GoalInUse)
        users = ", ".join(current.segments)
        consent.ask(
            f"This removes the goal {current.name} of {current.site} ({described(current)})."
            " Reports and segments that use it stop working"
            f"{f' ({users})' if users else ''}; its events stay. Go on?"
        )
    removed = run(settings(), "goal.remove", request, goals.GoalShown)
    if as_json:
        show_json(removed)
    else:
        echo(f"The goal {removed.name} of {removed.site} is removed ({described(removed)}).")


def described(goal: goals.GoalShown) -> str:
    """Return a description of what reaches *goal*."""
    if goal.scroll is not None:
        return f"{goal.scroll}% scrolled down on {goal.page}"
    parts = [f"event {goal.event}" if goal.event else f"page {goal.page}"]
    if goal.event and goal.page:
        parts.append(f"on {goal.page}")
    parts += [f"with {name}={value}" for name, value in goal.properties.items()]
    if goal.currency:
        parts.append(f"with revenue in {goal.currency}")
    return " ".join(parts)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
