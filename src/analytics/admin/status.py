"""The operation that reports the state of the open data folder."""

from __future__ import annotations

import os

import msgspec

from analytics import __version__
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace


class AskStatus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`status`, as used by `analytics doctor`."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Figures for diagnosing a server."""

    program: str
    process: int
    sites: int
    people: int
    keys: int
    received: int
    """Records ever written to the log."""
    behind: int
    """Records that are not in the store yet."""
    warnings: list[str] = []
    """Problems that the server has noticed since its start and that its operator should fix."""


async def run(workspace: Workspace, _: AskStatus, __: OperationContext) -> Status:
    """Return the state of now."""
    offsets = await workspace.store.offsets()
    ends = [end for _, end in await workspace.log.ends()]
    return Status(
        program=__version__,
        process=os.getpid(),
        sites=len(workspace.catalog.sites.all()),
        people=len(await workspace.catalog.people.all()),
        keys=len(await workspace.catalog.keys.all()),
        received=sum(end.offset for end in ends),
        behind=sum(end.offset - offsets.get(end.partition, 0) for end in ends),
        warnings=[warning for warned in workspace.warnings for warning in warned()],
    )
