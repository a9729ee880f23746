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
    """Whether the password is only good for choosing another."""


class ChangePerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user change`."""

    email: str
    owner: bool | None = None
    """None leaves the role as it is."""
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
    """Somebody as scripts read them."""

    email: str
    owner: bool
    sites: tuple[str, ...]
    id: str


class PasswordSet(msgspec.Struct, frozen=True, kw_only=True):
    """What `user password` did; every session of theirs has ended."""

    email: str


class LoggedOut(msgspec.Struct, frozen=True, kw_only=True):
    """What `user logout` did."""

    email: str | None
    sessions: int


class PersonRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """What `user remove` did."""

    email: str


async def add(workspace: Workspace, asked: AddPerson, _: OperationContext) -> PersonShown:
    """Add somebody who may log in."""
    return _shown(
        await service.add_person(
            workspace.catalog,
            asked.email,
            asked.password,
            owner=asked.owner,
            sites=_domains(workspace, asked.sites),
            must_change=asked.must_change,
        )
    )


async def change(workspace: Workspace, asked: ChangePerson, _: OperationContext) -> PersonShown:
    """Give somebody sites, take sites away, change their role."""
    return _shown(
        await service.change_person(
            workspace.catalog,
            asked.email,
            owner=asked.owner,
            add=_domains(workspace, asked.add),
            drop=_domains(workspace, asked.drop),
        )
    )


async def set_password(
    workspace: Workspace, asked: SetPassword, _: OperationContext
) -> PasswordSet:
    """Replace a password, and end the sessions that it opened."""
    person = await service.set_password(
        workspace.catalog, asked.email, asked.password, must_change=asked.must_change
    )
    return PasswordSet(email=person.email)


async def log_out(workspace: Workspace, asked: LogOut, _: OperationContext) -> LoggedOut:
    """End every session of somebody, or of everybody."""
    ended = await service.end_sessions(workspace.catalog, asked.email)
    return LoggedOut(email=ended.email, sessions=ended.sessions)


async def every(workspace: Workspace, _: ListPeople, __: OperationContext) -> Sequence[PersonShown]:
    """Everybody, by email."""
    return [_shown(person) for person in await workspace.catalog.people.all()]


async def remove(workspace: Workspace, asked: RemovePerson, _: OperationContext) -> PersonRemoved:
    """Forget somebody, and end their sessions."""
    person = await service.remove_person(workspace.catalog, asked.email)
    return PersonRemoved(email=person.email)


def _domains(workspace: Workspace, names: Sequence[str]) -> list[str]:
    return [workspace.site(name).domain for name in names]


def _shown(person: Person) -> PersonShown:
    return PersonShown(email=person.email, owner=person.owner, sites=person.sites, id=person.id)
