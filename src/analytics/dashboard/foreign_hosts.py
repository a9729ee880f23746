"""Hits that look made up: the hostnames left out, and the exceptions that an owner makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import FormData
from starlette.responses import Response

from analytics.catalog import service
from analytics.catalog.rules import HOSTNAMES, MAX_EVENTS_PER_DAY, MAX_REVENUE
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.shields_form import read_rules
from analytics.dashboard.templates import path_of
from analytics.errors import Malformed
from analytics.parsing import whole_number
from analytics.site import Site
from analytics.wildcard import admits

SINCE_MS: Final = 30 * 86_400_000
_MOST: Final = 50
SHOWN: Final = 10


async def foreign_hosts(deps: DashboardContext, site: Site) -> Sequence[tuple[str, int]]:
    """Return the hostnames whose hits of the last 30 days were left out, with their counts.

    Most hits first, and at most `SHOWN`, because anybody can send any hostname.
    """
    hosts = await deps.store.foreign_hosts(site.domain, deps.clock() - SINCE_MS, _MOST)
    return [host for host in hosts if not admits(site.other_hostnames, host[0])][:SHOWN]


async def change(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Save the exceptions: what counts although it looks made up."""
    typed = {key: str(value) for key, value in form.items()}
    rules = read_rules(typed, {"other_hostnames": HOSTNAMES})
    ceiling = typed.get("revenue_ceiling", "").strip()
    quota = typed.get("events_per_day", "").strip()
    await service.change_site(
        ask.deps.catalog,
        site.domain,
        other_hostnames=rules["other_hostnames"],
        count_spam_referrers="count_spam_referrers" in form,
        revenue_ceiling=whole_number(ceiling, "revenue_ceiling", least=0, most=MAX_REVENUE)
        if ceiling
        else None,
        events_per_day=whole_number(quota, "events_per_day", least=1, most=MAX_EVENTS_PER_DAY)
        if quota
        else None,
    )
    return ask.done(f"{path_of(site.domain)}/settings", "Saved.", where="made-up")


async def accept_host(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Add a hostname to those that count besides the site's own."""
    hostname = str(form.get("hostname", "")).strip().lower()[:253]
    if not HOSTNAMES.allows(hostname):
        raise Malformed("hostname", f"{hostname[:60]!r}: {HOSTNAMES.fault}")
    if not admits(site.other_hostnames, hostname):
        await service.add_hostname(ask.deps.catalog, site.domain, hostname)
    return ask.done(
        f"{path_of(site.domain)}/settings",
        f"{hostname} counts from now on. Of its earlier hits, only the number in the ledger is"
        " kept.",
        where="made-up",
    )
