"""Hits for what is not a site here: mostly a misspelt `data-domain`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final, NamedTuple
from urllib.parse import urlencode

from analytics.catalog import domain as domains
from analytics.dashboard.context import DashboardContext
from analytics.errors import Malformed

SINCE_MS: Final = 7 * 86_400_000
MOST: Final = 50
SHOWN: Final = 10
_ALIKE: Final = 0.75


class UnknownSite(NamedTuple):
    """One name."""

    name: str
    hits: int
    add: str
    """The page that adds it."""
    like: str
    """The site here whose name is nearly the same; "" when there is none."""


async def unknown_sites(deps: DashboardContext) -> list[UnknownSite]:
    """The names that the hits of the last week gave, most hits first.

    Anybody can send any name: only what can be the name of a site is shown, and not much of it.
    """
    sites = deps.catalog.sites
    known = [site.domain for site in sites.all()]
    shown: list[UnknownSite] = []
    for name, hits in await deps.store.unknown_sites(deps.clock() - SINCE_MS, MOST):
        try:
            domain = domains.normal(name)
        except Malformed:
            continue
        if domain != name or sites.get(domain) is not None:
            continue
        like = get_close_matches(domain, known, n=1, cutoff=_ALIKE)
        add = "/sites/new?" + urlencode({"domain": domain})
        shown.append(UnknownSite(domain, hits, add, like[0] if like else ""))
    return shown[:SHOWN]
