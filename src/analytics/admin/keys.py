"""Operations on API keys."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analytics import localtime
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog import service
from analytics.person import Key, Scope


class CreateKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key create`."""

    scopes: tuple[Scope, ...]
    site: str | None
    """None for all sites."""
    label: str = ""
    expires_in_days: int | None = None
    """None for never."""


class ListKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key list`."""


class RevokeKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key revoke`."""

    id: str


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A key as scripts read it."""

    id: str
    scopes: tuple[Scope, ...]
    site: str | None
    label: str
    created_at: int
    expires_at: int | None = None
    """In UTC milliseconds; None for never."""
    last_used: str | None = None
    """The day, in UTC."""


class KeyCreated(KeyShown, frozen=True, kw_only=True):
    """A new key, with its secret: the only time that it is shown."""

    key: str


class KeyRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """What `key revoke` did."""

    id: str


async def create(workspace: Workspace, asked: CreateKey, _: OperationContext) -> KeyCreated:
    """Create a key."""
    site = None if asked.site is None else workspace.site(asked.site).domain
    key, secret = await service.create_key(
        workspace.catalog,
        scopes=asked.scopes,
        site=site,
        label=asked.label,
        days=asked.expires_in_days,
    )
    return KeyCreated(key=secret, **msgspec.structs.asdict(key))


async def every(workspace: Workspace, _: ListKeys, __: OperationContext) -> Sequence[KeyShown]:
    """All keys, oldest first."""
    used = await workspace.catalog.keys.last_used()
    return [_shown(key, used.get(key.id)) for key in await workspace.catalog.keys.all()]


async def revoke(workspace: Workspace, asked: RevokeKey, _: OperationContext) -> KeyRevoked:
    """Make a key worthless at once."""
    await service.revoke_key(workspace.catalog, asked.id)
    return KeyRevoked(id=asked.id)


def _shown(key: Key, used: int | None) -> KeyShown:
    day = None if used is None else localtime.date_of(used).isoformat()
    return KeyShown(**msgspec.structs.asdict(key), last_used=day)
