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
    """See `span.of`."""
    end: str | None = None
    visitor: int | None = None
    """Only the events of this visitor."""
    cookie: str | None = None
    """Only the events of the visitor with this cookie."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """Where the file waits to be fetched (and moved) from the data folder."""

    site: str
    rows: int
    file: str


async def run(workspace: Workspace, asked: Export, job: OperationContext) -> Exported:
    """Write every event that was durable when asked for: pings and machines' included."""
    site = workspace.site(asked.site)
    start, end = time_span.of(asked.start, asked.end, site.timezone)
    visitor = visitor_reference.named(site, asked.visitor, asked.cookie)
    path = workspace.folder.scratch / f"export-{uuid4()}.{asked.format}"
    await workspace.settle()
    rows = await workspace.store.export(
        site.domain,
        start,
        end,
        asked.format,
        path,
        job.share,
        visitor=visitor,
    )
    return Exported(site=site.domain, rows=rows, file=str(path.absolute()))
