"""The operation that answers a question in SQL."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.api import sql
from analytics.api.sql import SqlNotes
from analytics.store.sql_question import SqlFormat


class AskSql(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sql`."""

    statement: str
    sites: Sequence[str] = ()
    """Only these; without any, all."""
    start: str | None = None
    """See `time_span.of`."""
    end: str | None = None
    format: SqlFormat


class SqlAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows wait to be fetched from the data folder, and what the answer says of them."""

    file: str
    notes: SqlNotes


async def run(workspace: Workspace, request: AskSql, _: OperationContext) -> SqlAnswered:
    """Answer from every event that was durable when asked for; a replica, from what it holds."""
    names = dict.fromkeys(request.sites)
    sites = [workspace.site(name) for name in names] or workspace.catalog.sites.all()
    question = sql.question(sites, request.statement, request.start, request.end, request.format)
    if not workspace.settings.is_replica:
        await workspace.settle()
    answer = await workspace.store.sql(question)
    return SqlAnswered(file=str(answer.path.absolute()), notes=sql.notes(answer, sites))
