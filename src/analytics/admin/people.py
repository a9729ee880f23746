"""Operations on people."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog import service
from analytics.person import Person


class AddPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user add`."""

    email: str
    password: str
    owner: bool = False
    sites: tuple[str, ...] = ()
    must_change: bool = False
    """Whether the password only lets its owner choose another."""


class ChangePerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user change`."""

    email: str
    owner: bool | None = None
    """None keeps the role."""
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SetPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user password`."""

    email: str
    password: str
    must_change: bool = False


class LogOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user logout`."""

    email: str | None
    """None for everybody."""


class ListPeople(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user list`."""


class RemovePerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user remove`."""

    email: str


class PersonShown(msgspec.Struct, frozen=True, kw_only=True):
    """A person in the JSON output of commands."""

    email: str
    owner: bool
    sites: tuple[str, ...]
    id: str


class PasswordSet(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `user password`."""

    email: str


class LoggedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `user logout`: the number of ended sessions."""

    email: str | None
    sessions: int


class PersonRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `user remove`."""

    email: str


async def add(workspace: Workspace, request: AddPerson, _: OperationContext) -> PersonShown:
    """Create an account."""
    return _shown(
        await service.add_person(
            workspace.catalog,
            request.email,
            request.password,
            owner=request.owner,
            sites=_domains(workspace, request.sites),
            must_change=request.must_change,
        )
    )


async def change(workspace: Workspace, request: ChangePerson, _: OperationContext) -> PersonShown:
    """Add or drop sites that somebody may see, or change their role."""
    return _shown(
        await service.change_person(
            workspace.catalog,
            request.email,
            owner=request.owner,
            add=_domains(workspace, request.add),
            drop=_domains(workspace, request.drop),
        )
    )


async def set_password(
    workspace: Workspace, request: SetPassword, _: OperationContext
) -> PasswordSet:
    """Replace somebody's password, and end their sessions."""
    person = await service.set_password(
        workspace.catalog, request.email, request.password, must_change=request.must_change
    )
    return PasswordSet(email=person.email)


async def log_out(workspace: Workspace, request: LogOut, _: OperationContext) -> LoggedOut:
    """End all sessions of somebody, or of everybody."""
    ended = await service.end_sessions(workspace.catalog, request.email)
    return LoggedOut(email=ended.email, sessions=ended.sessions)


async def every(workspace: Workspace, _: ListPeople, __: OperationContext) -> Sequence[PersonShown]:
    """Return all people, ordered by email."""
    return [_shown(person) for person in await workspace.catalog.people.all()]


async def remove(workspace: Workspace, request: RemovePerson, _: OperationContext) -> PersonRemoved:
    """Delete an account and end its sessions."""
    person = await service.remove_person(workspace.catalog, request.email)
    return PersonRemoved(email=person.email)


def _domains(workspace: Workspace, names: Sequence[str]) -> list[str]:
    return [workspace.site(name).domain for name in names]


def _shown(person: Person) -> PersonShown:
    return PersonShown(email=person.email, owner=person.owner, sites=person.sites, id=person.id)
