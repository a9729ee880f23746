"""Commands that look for faults."""

from __future__ import annotations

import click

from analytics.admin import auditing
from analytics.cli import doctor_checks, progress_bar, table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run

_NO = 1


@click.command()
@click.option("--site", metavar="SITE", help="Only this site.")
@as_json
@common
def audit(site: str | None, *, as_json: bool) -> int:
    """Prove that every hit is accounted for.

    Counts the stored rows again, and holds the ledger against them and against the log.

    Exits with 0 when everything is accounted for, with 1 when it is not.
    """
    request = auditing.Audit(site=site)
    with progress_bar.shown("Counting") as report:
        result = run(settings(), "audit", request, auditing.Audited, report=report)
    if as_json:
        show_json(result)
    else:
        _show(result)
    return 0 if result.balanced else _NO


@click.command()
@as_json
@common
def doctor(*, as_json: bool) -> int:
    """Show what is set, from where, and what is wrong.

    Exits with 0 when nothing is wrong, with 1 when something is; a warning is not.
    """
    checkup = doctor_checks.run(settings)
    if as_json:
        show_json(checkup)
    else:
        _show_checkup(checkup)
    return 0 if checkup.ok else _NO


def _show(result: auditing.Audited) -> None:
    table.show(
        ("SITE", "RECEIVED", "STORED", "DUPLICATE", "DROPPED", "DEAD"),
        (
            (
                each.site or "(no site)",
                f"{each.received:,}",
                f"{each.stored:,}",
                f"{each.duplicate:,}",
                f"{sum(each.dropped.values()):,}",
                f"{each.dead:,}",
            )
            for each in result.sites
        ),
        empty="Nothing was received yet.",
    )
    for each in result.sites:
        for reason, count in each.dropped.items():
            echo(f"{each.site}: {count:,} dropped: {reason}")
    for fault in result.faults:
        echo(f"FAULT  {fault}")
    if result.waiting:
        echo(f"{result.waiting:,} hits came during the audit, and wait to be counted.")
    counted = "every hit counted so far" if result.waiting else "every hit"
    echo(f"Balanced: {counted} is accounted for." if result.balanced else "NOT balanced.")


def _show_checkup(checkup: doctor_checks.Checkup) -> None:
    for check in checkup.checks:
        sign = ("warn " if check.warning else "ok   ") if check.ok else "FAULT"
        echo(f"{sign}  {check.name}: {check.detail}")
    if checkup.settings:
        echo()
        table.show(
            ("SETTING", "VALUE", "FROM"),
            ((each.name, each.value, each.origin) for each in checkup.settings),
            empty="",
        )
