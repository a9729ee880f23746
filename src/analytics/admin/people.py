"""Operations on people."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analytics.admin.job import Job
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed
from analytics.person import Person


class AddPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user add`."""

    email: str
    password: str
    owner: bool = False
    sites: tuple[str, ...] = ()


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


class PersonRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """What `user remove` did."""

    email: str


async def add(workspace: Workspace, asked: AddPerson, _: Job) -> PersonShown:
    """Add somebody who may log in."""
    if not (asked.owner or asked.sites):
        raise Malformed("sites", "name at least one site that they may see, or make them an owner")
    sites = tuple(workspace.site(name).domain for name in asked.sites)
    return _shown(
        await workspace.catalog.people.add(
            asked.email, asked.password, owner=asked.owner, sites=sites
        )
    )


async def every(workspace: Workspace, _: ListPeople, __: Job) -> Sequence[PersonShown]:
    """Everybody, by email."""
    return [_shown(person) for person in await workspace.catalog.people.all()]


async def remove(workspace: Workspace, asked: RemovePerson, _: Job) -> PersonRemoved:
    """Forget somebody, and end their sessions."""
    await workspace.catalog.people.remove(asked.email)
    return PersonRemoved(email=asked.email)


def _shown(person: Person) -> PersonShown:
    return PersonShown(email=person.email, owner=person.owner, sites=person.sites, id=person.id)
