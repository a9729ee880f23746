"""The operation that writes a site's events to a file."""

from __future__ import annotations

from uuid import uuid4

import msgspec

from analytics import time_span
from analytics.admin import visitor_reference
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.store.base import ExportFormat


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`export`."""

    site: str
    format: ExportFormat
    start: str | None = None
    """See `time_span.of`."""
    end: str | None = None
    visitor: int | None = None
    """Only the events of this visitor."""
    cookie: str | None = None
    """Only the events of the visitor with this cookie."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The file in the data folder, for the command to move away."""

    site: str
    rows: int
    file: str


async def run(workspace: Workspace, request: Export, job: OperationContext) -> Exported:
    """Export all events that were durable at the time of the call, with pings and bots."""
    site = workspace.site(request.site)
    start, end = time_span.of(request.start, request.end, site.timezone)
    visitor = visitor_reference.named(site, request.visitor, request.cookie)
    path = workspace.folder.scratch / f"export-{uuid4()}.{request.format}"
    await workspace.settle()
    rows = await workspace.store.export(
        site.domain,
        start,
        end,
        request.format,
        path,
        job.share,
        visitor=visitor,
    )
    return Exported(site=site.domain, rows=rows, file=str(path.absolute()))
