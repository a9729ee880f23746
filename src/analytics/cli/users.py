"""`analytics user`."""

from __future__ import annotations

import sys

import click

from analytics.admin import people
from analytics.cli import table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import show_json
from analytics.cli.run import run


@click.group()
def user() -> None:
    """Add, list and remove people who log in."""


@user.command()
@click.argument("email")
@click.option("--owner", is_flag=True, help="They see and change everything.")
@click.option("--site", "sites", multiple=True, metavar="SITE", help="A site they see; repeatable.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@as_json
@common
def add(
    email: str, sites: tuple[str, ...], *, owner: bool, password_stdin: bool, as_json: bool
) -> None:
    """Let EMAIL log in.

    The password is asked for, or read from standard input: it is never an argument, which
    everybody on the machine could see.
    """
    if not owner and not sites:
        raise click.UsageError("give --owner, or --site for each site that they may see")
    asked = people.AddPerson(
        email=email, password=_password(from_stdin=password_stdin), owner=owner, sites=sites
    )
    added = run(settings(), "user.add", asked, people.PersonShown, new_folder=True)
    if as_json:
        show_json(added)
    else:
        click.echo(f"{added.email} can log in{' as an owner' if added.owner else ''}.")


@user.command("list")
@as_json
@common
def list_(*, as_json: bool) -> None:
    """List everybody who can log in."""
    found = run(settings(), "user.list", people.ListPeople(), list[people.PersonShown])
    if as_json:
        show_json(found)
        return
    table.show(
        ("EMAIL", "SEES"),
        ((each.email, "everything" if each.owner else ", ".join(each.sites)) for each in found),
        empty="Nobody yet; add somebody with `analytics user add EMAIL --owner`.",
    )


@user.command()
@click.argument("email")
@as_json
@common
def remove(email: str, *, as_json: bool) -> None:
    """Take away EMAIL's access, and end their sessions."""
    asked = people.RemovePerson(email=email)
    removed = run(settings(), "user.remove", asked, people.PersonRemoved)
    if as_json:
        show_json(removed)
    else:
        click.echo(f"{removed.email} can no longer log in.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for the password; give --password-stdin")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
