"""`analytics key`."""

from __future__ import annotations

import sys

import click

from analytics.admin import keys
from analytics.cli import consent, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import day, echo, show_json
from analytics.cli.run import run
from analytics.person import MAX_KEY_DAYS, Scope


def _scopes(_: click.Context, __: click.Parameter, value: str) -> tuple[Scope, ...]:
    try:
        return tuple(Scope(part.strip()) for part in value.split(","))
    except ValueError as exc:
        raise click.BadParameter(f"{exc}; there are {', '.join(Scope)}") from None


@click.group()
def key() -> None:
    """Create, list and revoke API keys."""


@key.command()
@click.option("--site", metavar="SITE", help="The site it acts on.")
@click.option("--all-sites", is_flag=True, help="It acts on every site.")
@click.option(
    "--scope",
    "scopes",
    metavar="SCOPE[,SCOPE…]",
    required=True,
    callback=_scopes,
    help="What it may do: " + ", ".join(Scope) + ".",
)
@click.option("--label", default="", metavar="TEXT", help="What it is for.")
@click.option(
    "--expires",
    type=click.IntRange(1, MAX_KEY_DAYS),
    metavar="DAYS",
    help="It works for so many days [for ever].",
)
@as_json
@common
def create(
    site: str | None,
    scopes: tuple[Scope, ...],
    label: str,
    expires: int | None,
    *,
    all_sites: bool,
    as_json: bool,
) -> None:
    """Create a key, and show its secret this once."""
    if (site is None) != all_sites:
        raise click.UsageError("give either --site SITE or --all-sites")
    request = keys.CreateKey(scopes=scopes, site=site, label=label, expires_in_days=expires)
    created = run(settings(), "key.create", request, keys.KeyCreated, new_folder=all_sites)
    if as_json:
        show_json(created)
    else:
        echo(created.key)
        echo("Keep it: it is shown this once, and stored as a hash.", err=True)


@key.command("list")
@as_json
@common
def list_(*, as_json: bool) -> None:
    """List all keys, without their secrets."""
    every = run(settings(), "key.list", keys.ListKeys(), list[keys.KeyShown])
    if as_json:
        show_json(every)
        return
    table.show(
        ("ID", "SITE", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "LABEL"),
        (
            (
                each.id,
                each.site or "all",
                ",".join(each.scopes),
                day(each.created_at),
                "never" if each.expires_at is None else day(each.expires_at),
                each.last_used or "never",
                each.label,
            )
            for each in every
        ),
        empty="No key yet; create one with `analytics key create`.",
    )


@key.command()
@click.argument("key_id", metavar="ID")
@consent.YES
@as_json
@common
def revoke(key_id: str, *, yes: bool, as_json: bool) -> None:
    """Make the key ID worthless, at once.

    Asks on a terminal; a script that names the ID of a key need not say --yes: a key that leaked
    must go at once.
    """
    if sys.stdin.isatty() and consent.must_ask(yes=yes):
        every = run(settings(), "key.list", keys.ListKeys(), list[keys.KeyShown])
        key = next((each for each in every if each.id == key_id), None)
        if key is not None:
            reach = key.site or "all sites"
            consent.ask(
                f"This revokes the key {key.label or key.id} ({', '.join(key.scopes)}; {reach}):"
                " what uses it stops working. Go on?"
            )
    revoked = run(settings(), "key.revoke", keys.RevokeKey(id=key_id), keys.KeyRevoked)
    if as_json:
        show_json(revoked)
    else:
        echo(f"{revoked.id} is revoked.")
