"""The operation that deletes events for good: one visitor's, or all of a site."""

from __future__ import annotations

import msgspec

from analytics.admin import one_visitor
from analytics.admin.job import Job
from analytics.admin.workspace import Workspace


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
    visitor = one_visitor.named(site, asked.visitor, asked.cookie)
    await workspace.settle()
    return Erased(site=site.domain, rows=await workspace.erases.count_rows(site.domain, visitor))


async def run(workspace: Workspace, asked: Erase, job: Job) -> Erased:
    """Delete them, from the figures and from every file; the ledger says how many there were.

    Raises `Unavailable` where a file still holds them, which says how that ends.
    """
    site = workspace.site(asked.site)
    visitor = one_visitor.named(site, asked.visitor, asked.cookie)
    await workspace.settle()
    if visitor is None:
        rows = await workspace.erases.delete_site(site.domain)
    else:
        rows = await workspace.erases.erase_visitor(site.domain, visitor)
    await workspace.erases.compact(job.share)
    return Erased(site=site.domain, rows=rows)
