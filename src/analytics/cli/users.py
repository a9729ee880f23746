"""`analytics user`."""

from __future__ import annotations

import sys
from typing import Final

import click

from analytics.admin import people
from analytics.cli import consent, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run
from analytics.wording import counted

_PASSWORD_STDIN: Final = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)

_MUST_CHANGE: Final = click.option(
    "--must-change", is_flag=True, help="They choose their own password at the first login."
)


@click.group()
def user() -> None:
    """Add, change, list and remove people who log in."""


@user.command()
@click.argument("email")
@click.option("--owner", is_flag=True, help="They see and change everything.")
@click.option(
    "--site", "sites", multiple=True, metavar="SITE", help="A site they may see; repeatable."
)
@_PASSWORD_STDIN
@_MUST_CHANGE
@as_json
@common
def add(
    email: str,
    sites: tuple[str, ...],
    *,
    owner: bool,
    password_stdin: bool,
    must_change: bool,
    as_json: bool,
) -> None:
    """Let EMAIL log in.

    The password is asked for, or read from standard input: it is never an argument, which
    everybody on the machine could see.
    """
    if not owner and not sites:
        raise click.UsageError("give --owner, or --site for each site that they may see")
    request = people.AddPerson(
        email=email,
        password=_password(from_stdin=password_stdin),
        owner=owner,
        sites=sites,
        must_change=must_change,
    )
    added = run(settings(), "user.add", request, people.PersonShown, new_folder=True)
    if as_json:
        show_json(added)
    else:
        echo(f"{added.email} can log in{' as an owner' if added.owner else ''}.")


@user.command()
@click.argument("email")
@click.option("--owner/--no-owner", default=None, help="Whether they see and change everything.")
@click.option("--add", multiple=True, metavar="SITE", help="A site they may see, too; repeatable.")
@click.option("--drop", multiple=True, metavar="SITE", help="A site they no longer see.")
@as_json
@common
def change(
    email: str, add: tuple[str, ...], drop: tuple[str, ...], *, owner: bool | None, as_json: bool
) -> None:
    """Change what EMAIL may see."""
    if owner is None and not add and not drop:
        raise click.UsageError("give --add SITE, --drop SITE, --owner or --no-owner")
    request = people.ChangePerson(email=email, owner=owner, add=add, drop=drop)
    changed = run(settings(), "user.change", request, people.PersonShown)
    if as_json:
        show_json(changed)
    else:
        sees = "everything, as an owner" if changed.owner else ", ".join(changed.sites)
        echo(f"{changed.email} sees {sees}.")


@user.command("password")
@click.argument("email")
@_PASSWORD_STDIN
@_MUST_CHANGE
@as_json
@common
def set_password(email: str, *, password_stdin: bool, must_change: bool, as_json: bool) -> None:
    """Give EMAIL another password, and end their sessions."""
    request = people.SetPassword(
        email=email, password=_password(from_stdin=password_stdin), must_change=must_change
    )
    done = run(settings(), "user.password", request, people.PasswordSet)
    if as_json:
        show_json(done)
    else:
        echo(f"{done.email} has the new password; every session of theirs has ended.")


@user.command("logout")
@click.argument("email", required=False)
@click.option("--everybody", is_flag=True, help="End the sessions of all people.")
@as_json
@common
def log_out(email: str | None, *, everybody: bool, as_json: bool) -> None:
    """End every session of EMAIL; passwords and keys stay."""
    if (email is None) != everybody:
        raise click.UsageError("give either EMAIL or --everybody")
    done = run(settings(), "user.logout", people.LogOut(email=email), people.LoggedOut)
    if as_json:
        show_json(done)
    else:
        who = "Everybody" if done.email is None else done.email
        echo(f"{who} is logged out: {counted(done.sessions, 'session')} ended.")


@user.command("list")
@as_json
@common
def list_(*, as_json: bool) -> None:
    """List everybody who can log in."""
    every = run(settings(), "user.list", people.ListPeople(), list[people.PersonShown])
    if as_json:
        show_json(every)
        return
    table.show(
        ("EMAIL", "SEES"),
        ((each.email, "everything" if each.owner else ", ".join(each.sites)) for each in every),
        empty="Nobody yet; add somebody with `analytics user add EMAIL --owner`.",
    )


@user.command()
@click.argument("email")
@consent.YES
@as_json
@common
def remove(email: str, *, yes: bool, as_json: bool) -> None:
    """Take away EMAIL's access, and end their sessions."""
    if consent.must_ask(yes=yes):
        consent.ask(f"This removes the account of {email}, and ends their sessions. Go on?")
    request = people.RemovePerson(email=email)
    removed = run(settings(), "user.remove", request, people.PersonRemoved)
    if as_json:
        show_json(removed)
    else:
        echo(f"{removed.email} can no longer log in.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for the password; give --password-stdin")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
