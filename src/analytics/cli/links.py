"""`analytics link`."""

from __future__ import annotations

import sys

import click

from analytics.admin import links
from analytics.cli import consent, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import day, echo, show_json
from analytics.cli.run import run


@click.group()
def link() -> None:
    """Create, list and revoke links that open a site's report without a login."""


@link.command()
@click.argument("site", metavar="SITE")
@click.argument("name", metavar="NAME")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="The report asks for a password: read it from standard input.",
)
@click.option("--embeddable", is_flag=True, help="Other sites may show the report in a frame.")
@as_json
@common
def create(site: str, name: str, *, password_stdin: bool, embeddable: bool, as_json: bool) -> None:
    """Create a link to the report of SITE, and show its address this once.

    NAME tells it from the site's other links.
    """
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else ""
    if password_stdin and not password:
        raise click.UsageError("standard input has no password")
    request = links.CreateLink(site=site, name=name, password=password, embeddable=embeddable)
    created = run(settings(), "link.create", request, links.LinkCreated)
    if as_json:
        show_json(created)
        return
    echo(created.address)
    if created.address.startswith("/"):
        echo("Put your server's address in front, or set serve.public_url.", err=True)
    echo("Keep it: it is shown this once, and its secret is stored as a hash.", err=True)


@link.command("list")
@click.argument("site", metavar="SITE")
@as_json
@common
def list_(site: str, *, as_json: bool) -> None:
    """List the links of SITE, without their addresses."""
    every = run(settings(), "link.list", links.ListLinks(site=site), list[links.LinkShown])
    if as_json:
        show_json(every)
        return
    table.show(
        ("ID", "NAME", "CREATED", "PASSWORD", "IN FRAMES"),
        (
            (
                str(each.id),
                each.name,
                day(each.created_at),
                "yes" if each.has_password else "no",
                "yes" if each.embeddable else "no",
            )
            for each in every
        ),
        empty=f"No link yet; create one with `analytics link create {site} NAME`.",
    )


@link.command()
@click.argument("site", metavar="SITE")
@click.argument("name", metavar="LINK")
@consent.YES
@as_json
@common
def revoke(site: str, name: str, *, yes: bool, as_json: bool) -> None:
    """Make the link LINK (its name or id) of SITE worthless, at once."""
    request = links.NamedLink(site=site, link=name)
    if consent.must_ask(yes=yes):
        each = run(settings(), "link.show", request, links.LinkShown)
        consent.ask(
            f"This revokes the link {each.name} to the report of {each.site}: whoever has it no"
            " longer sees the report. Go on?"
        )
    revoked = run(settings(), "link.revoke", request, links.LinkShown)
    if as_json:
        show_json(revoked)
    else:
        echo(f"{revoked.name} is revoked.")
