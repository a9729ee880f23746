"""The table of administrative operations by name, and how one is run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec

from analytics import actor, decoding
from analytics.admin import (
    assistant,
    audit_log,
    auditing,
    backup,
    erasing,
    exporting,
    exporting_now,
    goals,
    importing,
    importing_sums,
    keys,
    links,
    people,
    rebuilding,
    segments,
    sites,
    sql,
    status,
)
from analytics.admin.importing_sums import ImportShown, SumsImported
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog import service
from analytics.catalog.audit_log import AuditAction
from analytics.errors import UNDECODABLE, NotFound


class Operation(NamedTuple):
    """One operation."""

    parameters: type[msgspec.Struct]
    run: Callable[[Workspace, Any, OperationContext], Awaitable[object]]
    reads: bool = False
    """Whether it reads `OperationContext.input`."""
    deed: AuditAction | None = None
    """The action in the audit log; None if the catalog writes the entry itself."""


OPERATIONS: Final[dict[str, Operation]] = {
    "site.add": Operation(sites.AddSite, sites.add),
    "site.list": Operation(sites.ListSites, sites.every),
    "site.show": Operation(sites.NamedSite, sites.show),
    "site.change": Operation(sites.ChangeSite, sites.change),
    "site.expired": Operation(sites.CountExpired, sites.expired),
    "site.attached": Operation(sites.NamedSite, sites.attached),
    "site.remove": Operation(sites.RemoveSite, sites.remove),
    "user.add": Operation(people.AddPerson, people.add),
    "user.change": Operation(people.ChangePerson, people.change),
    "user.password": Operation(people.SetPassword, people.set_password),
    "user.logout": Operation(people.LogOut, people.log_out),
    "user.list": Operation(people.ListPeople, people.every),
    "user.remove": Operation(people.RemovePerson, people.remove),
    "key.create": Operation(keys.CreateKey, keys.create),
    "key.list": Operation(keys.ListKeys, keys.every),
    "key.revoke": Operation(keys.RevokeKey, keys.revoke),
    "goal.add": Operation(goals.AddGoal, goals.add_goal),
    "goal.list": Operation(goals.ListGoals, goals.every_goal),
    "goal.show": Operation(goals.NamedGoal, goals.show_goal),
    "goal.change": Operation(goals.ChangeGoal, goals.change_goal),
    "goal.remove": Operation(goals.NamedGoal, goals.remove_goal),
    "segment.add": Operation(segments.AddSegment, segments.add_segment),
    "segment.list": Operation(segments.ListSegments, segments.every_segment),
    "segment.show": Operation(segments.NamedSegment, segments.show_segment),
    "segment.change": Operation(segments.ChangeSegment, segments.change_segment),
    "segment.remove": Operation(segments.NamedSegment, segments.remove_segment),
    "link.create": Operation(links.CreateLink, links.create),
    "link.list": Operation(links.ListLinks, links.every),
    "link.show": Operation(links.NamedLink, links.show),
    "link.revoke": Operation(links.NamedLink, links.revoke),
    "import": Operation(
        importing.ImportPast, importing.run, reads=True, deed=AuditAction.DATA_IMPORTED
    ),
    "import.sums": Operation(
        importing_sums.ImportSums, importing_sums.add, reads=True, deed=AuditAction.DATA_IMPORTED
    ),
    "import.list": Operation(importing_sums.ListImports, importing_sums.every),
    "import.remove": Operation(
        importing_sums.NamedImport, importing_sums.remove, deed=AuditAction.DATA_ERASED
    ),
    "export": Operation(exporting.Export, exporting.run, deed=AuditAction.DATA_EXPORTED),
    "sql": Operation(sql.AskSql, sql.run),
    "assistant": Operation(assistant.AskTool, assistant.run),
    "export.now": Operation(
        exporting_now.ExportNow, exporting_now.run, deed=AuditAction.DATA_EXPORTED
    ),
    "erase.count": Operation(erasing.Erase, erasing.count),
    "erase": Operation(erasing.Erase, erasing.run, deed=AuditAction.DATA_ERASED),
    "rebuild.preview": Operation(rebuilding.Rebuild, rebuilding.preview),
    "rebuild": Operation(rebuilding.Rebuild, rebuilding.run, deed=AuditAction.DATA_REBUILT),
    "backup": Operation(backup.Backup, backup.run, deed=AuditAction.BACKUP_MADE),
    "audit-log": Operation(audit_log.AskAuditLog, audit_log.recent),
    "audit": Operation(auditing.Audit, auditing.run),
    "status": Operation(status.AskStatus, status.run),
}


def named(name: str) -> Operation:
    """Return the operation *name*. Raise `NotFound`."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise NotFound(f"{name} is not an operation of this server; are both of the same version?")
    return operation


async def perform(
    workspace: Workspace, name: str, parameters: bytes, job: OperationContext
) -> bytes:
    """Run the operation *name*; *parameters* and the result are JSON. Raise `Malformed`."""
    operation = named(name)
    try:
        request = msgspec.json.decode(parameters, type=operation.parameters)
    except UNDECODABLE as exc:
        raise decoding.malformed(exc, name) from exc
    with actor.acting_as(actor.COMMAND):
        result = await operation.run(workspace, request, job)
        if operation.deed is not None:
            await _record(workspace, operation.deed, result)
    return msgspec.json.encode(result)


async def _record(workspace: Workspace, action: AuditAction, result: object) -> None:
    rows = getattr(result, "rows", getattr(result, "stored", None))
    site = str(getattr(result, "site", ""))
    of = "daily sum" if isinstance(result, SumsImported | ImportShown) else "event"
    await service.record(workspace.catalog, action, rows=rows, of=of, site=site)
