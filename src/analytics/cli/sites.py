"""`analytics site`."""

from __future__ import annotations

import click

from analytics.admin import sites
from analytics.cli import consent, site_settings, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import day, echo, show_json
from analytics.cli.run import run
from analytics.wording import counted


@click.group()
def site() -> None:
    """Add, list, change and remove sites."""


site.add_command(site_settings.show)
site.add_command(site_settings.set_)


@site.command()
@click.argument("domain")
@click.option("--timezone", default="Etc/UTC", show_default=True, help="Its time zone.")
@as_json
@common
def add(domain: str, timezone: str, *, as_json: bool) -> None:
    """Track DOMAIN, such as example.com.

    The domain is kept in lower case and without `www.`; subdomains are counted with it when
    their pages send the same `data-domain`.
    """
    request = sites.AddSite(domain=domain, timezone=timezone)
    added = run(settings(), "site.add", request, sites.SiteAdded, new_folder=True)
    if as_json:
        show_json(added)
    else:
        echo(f"{added.site} is tracked, its days in {added.timezone}.")
        if added.events_since is not None:
            echo(
                f"It was a site here before: its events since {day(added.events_since)} count"
                f" again. `analytics erase --site {added.site} --everything` deletes them."
            )


@site.command("list")
@as_json
@common
def list_(*, as_json: bool) -> None:
    """List all sites."""
    every = run(settings(), "site.list", sites.ListSites(), list[sites.SiteShown])
    if as_json:
        show_json(every)
        return
    table.show(
        ("SITE", "TIME ZONE", "NUMBER", "ID"),
        ((each.site, each.timezone, str(each.number), each.id) for each in every),
        empty="No site yet; add one with `analytics site add DOMAIN`.",
    )


@site.command()
@click.argument("name", metavar="SITE")
@click.option("--erase", is_flag=True, help="Delete its events, too.")
@consent.YES
@as_json
@common
def remove(name: str, *, erase: bool, yes: bool, as_json: bool) -> None:
    """Stop tracking SITE, and revoke the keys that are for it alone.

    People who saw it no longer do. Its events stay in the store, and count again if the site is
    added again, unless --erase deletes them.
    """
    if consent.must_ask(yes=yes):
        going = run(settings(), "site.attached", sites.NamedSite(site=name), sites.SiteAttached)
        events = counted(going.rows, "stored event")
        if going.imports:
            events += f" and {counted(going.imports, 'import')} of other products"
        consent.ask(
            f"This stops the tracking of {going.site}, revokes"
            f" {counted(going.keys, 'API key')}, takes it away from"
            f" {counted(going.viewers, 'viewer')}, and"
            f" {'deletes' if erase else 'keeps'} {events}. Go on?"
        )
    request = sites.RemoveSite(site=name, erase=erase)
    removed = run(settings(), "site.remove", request, sites.SiteRemoved)
    if as_json:
        show_json(removed)
    else:
        keys = counted(removed.keys_revoked, "key")
        viewers = counted(removed.viewers_withdrawn, "viewer")
        rows = counted(removed.rows_deleted, "event")
        echo(
            f"{removed.site} is no longer tracked; {keys} revoked, taken away from {viewers},"
            f" {rows} deleted."
        )
