"""The operation that deletes events for good: one visitor's, or all of a site."""

from __future__ import annotations

import msgspec

from analytics.admin.job import Job
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed
from analytics.event import from_cookie
from analytics.site import Site


class Erase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`erase`."""

    site: str
    visitor: int | None
    """As the exports show it."""
    cookie: str | None = None
    """The value of the visitor's cookie; without both, everybody's events go."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """How many events are gone."""

    site: str
    rows: int


async def count(workspace: Workspace, asked: Erase, _: Job) -> Erased:
    """Count the events that `run` would delete."""
    site = workspace.site(asked.site)
    visitor = _visitor(site, asked)
    await workspace.settle()
    return Erased(site=site.domain, rows=await workspace.erases.count_rows(site.domain, visitor))


async def run(workspace: Workspace, asked: Erase, job: Job) -> Erased:
    """Delete them, from the figures and from every file; the ledger says how many there were.

    Raises `Unavailable` where a file still holds them, which says how that ends.
    """
    site = workspace.site(asked.site)
    visitor = _visitor(site, asked)
    await workspace.settle()
    if visitor is None:
        rows = await workspace.erases.delete_site(site.domain)
    else:
        rows = await workspace.erases.erase_visitor(site.domain, visitor)
    await workspace.erases.compact(job.share)
    return Erased(site=site.domain, rows=rows)


def _visitor(site: Site, asked: Erase) -> int | None:
    visitor = asked.visitor
    if asked.cookie is not None:
        if visitor is not None:
            raise Malformed("cookie", "name the visitor by number or by cookie, not by both")
        if not asked.cookie:
            raise Malformed("cookie", "it is empty; give the value of the visitor's cookie")
        visitor = from_cookie(site.domain, asked.cookie)
    return visitor
