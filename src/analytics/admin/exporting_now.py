"""The operation that runs the scheduled export at once."""

from __future__ import annotations

import msgspec

from analytics.admin.operation_context import OperationContext, Progress
from analytics.admin.workspace import Workspace
from analytics.errors import Misconfigured


class ExportNow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`export.now`."""


class ExportedNow(msgspec.Struct, frozen=True, kw_only=True):
    """What the run did."""

    target: str
    written: int
    """Days."""
    deleted: int
    rows: int


async def run(workspace: Workspace, _: ExportNow, job: OperationContext) -> ExportedNow:
    """Export every day that has changed since it was exported."""
    export = workspace.scheduled_export
    if export is None:
        raise Misconfigured(
            "no export is set up: set exports.target to a folder, or to s3://bucket/prefix"
        )
    done = await export.run(lambda at, of, label: job.report(Progress(at, of, label)))
    return ExportedNow(target=workspace.settings.exports.target, **done._asdict())
