"""The table of everything that an administrator can ask for, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec

from analytics.admin import (
    auditing,
    backup,
    erasing,
    exporting,
    importing,
    keys,
    people,
    sites,
    status,
)
from analytics.admin.job import Job
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed, NotFound


class Operation(NamedTuple):
    """One thing that can be asked for."""

    parameters: type[msgspec.Struct]
    run: Callable[[Workspace, Any, Job], Awaitable[object]]
    reads: bool = False
    """Whether it reads `Job.input`."""


OPERATIONS: Final[dict[str, Operation]] = {
    "site.add": Operation(sites.AddSite, sites.add),
    "site.list": Operation(sites.ListSites, sites.every),
    "site.change": Operation(sites.ChangeSite, sites.change),
    "site.attached": Operation(sites.NamedSite, sites.attached),
    "site.remove": Operation(sites.RemoveSite, sites.remove),
    "user.add": Operation(people.AddPerson, people.add),
    "user.change": Operation(people.ChangePerson, people.change),
    "user.password": Operation(people.SetPassword, people.set_password),
    "user.list": Operation(people.ListPeople, people.every),
    "user.remove": Operation(people.RemovePerson, people.remove),
    "key.create": Operation(keys.CreateKey, keys.create),
    "key.list": Operation(keys.ListKeys, keys.every),
    "key.revoke": Operation(keys.RevokeKey, keys.revoke),
    "import": Operation(importing.ImportPast, importing.run, reads=True),
    "export": Operation(exporting.Export, exporting.run),
    "erase.count": Operation(erasing.Erase, erasing.count),
    "erase": Operation(erasing.Erase, erasing.run),
    "backup": Operation(backup.Backup, backup.run),
    "audit": Operation(auditing.Audit, auditing.run),
    "status": Operation(status.AskStatus, status.run),
}


def named(name: str) -> Operation:
    """The operation of that name. Raises `NotFound`."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise NotFound(f"{name} is not an operation of this server; are both of the same version?")
    return operation


async def perform(workspace: Workspace, name: str, parameters: bytes, job: Job) -> bytes:
    """Do the operation *name* with *parameters*, both ends JSON."""
    operation = named(name)
    try:
        asked = msgspec.json.decode(parameters, type=operation.parameters)
    except msgspec.MsgspecError as exc:
        raise Malformed("", f"{name}: {exc}") from exc
    return msgspec.json.encode(await operation.run(workspace, asked, job))
