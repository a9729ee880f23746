"""`analytics site`."""

from __future__ import annotations

import click

from analytics.admin import sites
from analytics.cli import table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import show_json
from analytics.cli.run import run


@click.group()
def site() -> None:
    """Add, list and remove sites."""


@site.command()
@click.argument("domain")
@click.option("--timezone", default="Etc/UTC", show_default=True, help="Where its days begin.")
@as_json
@common
def add(domain: str, timezone: str, *, as_json: bool) -> None:
    """Track DOMAIN, such as example.com.

    The domain is kept in lower case and without `www.`; subdomains are counted with it when
    their pages send the same `data-domain`.
    """
    asked = sites.AddSite(domain=domain, timezone=timezone)
    added = run(settings(), "site.add", asked, sites.SiteShown, new_folder=True)
    if as_json:
        show_json(added)
    else:
        click.echo(f"{added.site} is tracked, its days in {added.timezone}.")


@site.command("list")
@as_json
@common
def list_(*, as_json: bool) -> None:
    """List all sites."""
    found = run(settings(), "site.list", sites.ListSites(), list[sites.SiteShown])
    if as_json:
        show_json(found)
        return
    table.show(
        ("SITE", "TIME ZONE", "NUMBER", "ID"),
        ((each.site, each.timezone, str(each.number), each.id) for each in found),
        empty="No site yet; add one with `analytics site add DOMAIN`.",
    )


@site.command()
@click.argument("name", metavar="SITE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@common
def remove(name: str, *, yes: bool, as_json: bool) -> None:
    """Stop tracking SITE, and revoke the keys that are for it alone.

    Its events stay in the store, and count again if the site is added again.
    """
    if not yes:
        click.confirm(f"Stop tracking {name}?", abort=True, err=True)
    removed = run(settings(), "site.remove", sites.NamedSite(site=name), sites.SiteRemoved)
    if as_json:
        show_json(removed)
    else:
        click.echo(f"{removed.site} is no longer tracked; {removed.keys_revoked} keys revoked.")
