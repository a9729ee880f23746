"""The operation that deletes events for good: one visitor's, or all of a site."""

from __future__ import annotations

import msgspec

from analytics.admin.job import Job
from analytics.admin.workspace import Workspace


class Erase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`erase`."""

    site: str
    visitor: int | None
    """As the exports show it; None for everybody."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """How many events are gone."""

    site: str
    rows: int


async def run(workspace: Workspace, asked: Erase, _: Job) -> Erased:
    """Delete them from the store; the ledger says how many there were."""
    site = workspace.site(asked.site)
    await workspace.settle()
    if asked.visitor is None:
        rows = await workspace.store.delete_site(site.domain)
    else:
        rows = await workspace.store.erase_visitor(site.domain, asked.visitor)
    return Erased(site=site.domain, rows=rows)
