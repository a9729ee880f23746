"""The operation that says how the open folder is."""

from __future__ import annotations

import os

import msgspec

from analytics import __version__
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace


class AskStatus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`status`, which `doctor` asks for."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers for a person who looks for a fault."""

    program: str
    process: int
    sites: int
    people: int
    keys: int
    received: int
    """Records in the log, ever."""
    behind: int
    """Those that are not in the store yet."""
    warnings: list[str] = []
    """What the server has noticed since its start that its operator should mend."""


async def run(workspace: Workspace, _: AskStatus, __: OperationContext) -> Status:
    """Count."""
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
