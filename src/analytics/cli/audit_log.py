"""`analytics audit-log`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from analytics.admin import audit_log as asking
from analytics.catalog.audit_log import KEPT_ENTRIES, AuditEntry
from analytics.cli import table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import show_json
from analytics.cli.run import run


@click.command("audit-log")
@click.option("--site", metavar="SITE", help="Only what concerns this site.")
@click.option(
    "--most",
    type=click.IntRange(1, KEPT_ENTRIES),
    default=100,
    show_default=True,
    help="How many entries.",
)
@as_json
@common
def audit_log(site: str | None, most: int, *, as_json: bool) -> None:
    """Show who changed what, and who logged in, the newest first.

    Changes by pages and by commands, logins, and refused logins (those of an hour as one line).
    It holds no network addresses. For a proof that every hit is accounted for, see `audit`.
    """
    request = asking.AskAuditLog(most=most, site=site)
    entries = run(settings(), "audit-log", request, list[AuditEntry])
    if as_json:
        show_json(entries)
        return
    table.show(
        ("WHEN (UTC)", "WHO", "WHAT", "SITE", "ABOUT"),
        ((_moment(each.at), each.who, _what(each), each.site, each.about) for each in entries),
        empty="Nothing yet.",
    )


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _what(entry: AuditEntry) -> str:
    return entry.what if entry.times == 1 else f"{entry.what} ×{entry.times:,}"
