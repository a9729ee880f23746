"""Hits for sites that are not tracked here: mostly a misspelt `data-domain`."""

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
    """A name that hits gave and no site has."""

    name: str
    hits: int
    add: str
    """The address of the form that adds it as a site."""
    like: str
    """The site with the most similar name; "" if none is similar."""


async def unknown_sites(deps: DashboardContext) -> list[UnknownSite]:
    """Return names without a site that the hits of the last week gave, most hits first.

    Anybody can send any name, so only valid names are returned, and at most `SHOWN`.
    """
    sites = deps.catalog.sites
    own_domains = [site.domain for site in sites.all()]
    shown: list[UnknownSite] = []
    for name, hits in await deps.store.unknown_sites(deps.clock() - SINCE_MS, MOST):
        try:
            domain = domains.normal(name)
        except Malformed:
            continue
        if domain != name or sites.get(domain) is not None:
            continue
        like = get_close_matches(domain, own_domains, n=1, cutoff=_ALIKE)
        add = "/sites/new?" + urlencode({"domain": domain})
        shown.append(UnknownSite(domain, hits, add, like[0] if like else ""))
    return shown[:SHOWN]
