"""The operation that decides stored events again by today's rules, or says what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from analytics.admin.operation_context import OperationContext, Progress
from analytics.admin.workspace import Workspace
from analytics.pipeline.replay_figures import RebuiltFigure

_MOST_CHANGES: Final = 10_000
"""The number of changed figures of a site that an answer lists."""


class Rebuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rebuild`."""

    sites: Sequence[str] = ()
    """Names of sites; without any, all."""


class SiteRebuild(msgspec.Struct, frozen=True, kw_only=True):
    """What changes in one site."""

    site: str
    events: int
    """The number of stored events, pings and those of machines included."""
    changed: int
    """The number of those that today's rules decide in another way."""
    days: int
    """The number of days with a figure that changes."""
    figures: int
    """The number of figures that change."""
    changes: Sequence[RebuiltFigure]
    """The first of them."""


class RebuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """What changes, or has changed."""

    applied: bool
    sites: Sequence[SiteRebuild]

    @property
    def rows(self) -> int:
        """The number of changed events, for the audit log."""
        return sum(each.changed for each in self.sites)

    @property
    def site(self) -> str:
        """The only site concerned; "" for several."""
        return self.sites[0].site if len(self.sites) == 1 else ""


async def preview(
    workspace: Workspace, request: Rebuild, context: OperationContext
) -> RebuildResult:
    """Return what `run` would change."""
    return await _rebuild(workspace, request, context, apply=False)


async def run(workspace: Workspace, request: Rebuild, context: OperationContext) -> RebuildResult:
    """Decide the events again and store the result, visitor by visitor."""
    return await _rebuild(workspace, request, context, apply=True)


async def _rebuild(
    workspace: Workspace, request: Rebuild, context: OperationContext, *, apply: bool
) -> RebuildResult:
    sites = [workspace.site(name) for name in request.sites] or workspace.catalog.sites.all()
    await workspace.settle()
    results: list[SiteRebuild] = []
    for number, site in enumerate(sites):

        def report(share: float, number: int = number, label: str = site.domain) -> None:
            done = round(100 * (number + share))
            context.report(Progress(done, 100 * len(sites), label))

        report(0)
        done = await workspace.rebuilds.rebuild(
            site.domain, site.timezone, apply=apply, progress=report
        )
        results.append(
            SiteRebuild(
                site=site.domain,
                events=done.rows,
                changed=done.changed,
                days=len({change.day for change in done.changes}),
                figures=len(done.changes),
                changes=done.changes[:_MOST_CHANGES],
            )
        )
    return RebuildResult(applied=apply, sites=results)
