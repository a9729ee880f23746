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
    """A key in the JSON output of commands."""

    id: str
    scopes: tuple[Scope, ...]
    site: str | None
    label: str
    created_at: int
    expires_at: int | None = None
    """In UTC milliseconds; None for never."""
    last_used: str | None = None
    """The UTC day, as an ISO date; None for a key never used."""


class KeyCreated(KeyShown, frozen=True, kw_only=True):
    """A new key with its secret, which is shown only once."""

    key: str


class KeyRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `key revoke`."""

    id: str


async def create(workspace: Workspace, request: CreateKey, _: OperationContext) -> KeyCreated:
    """Create a key."""
    site = None if request.site is None else workspace.site(request.site).domain
    key, secret = await service.create_key(
        workspace.catalog,
        scopes=request.scopes,
        site=site,
        label=request.label,
        days=request.expires_in_days,
    )
    return KeyCreated(key=secret, **msgspec.structs.asdict(key))


async def every(workspace: Workspace, _: ListKeys, __: OperationContext) -> Sequence[KeyShown]:
    """Return all keys, oldest first."""
    days = await workspace.catalog.keys.last_used()
    return [_shown(key, days.get(key.id)) for key in await workspace.catalog.keys.all()]


async def revoke(workspace: Workspace, request: RevokeKey, _: OperationContext) -> KeyRevoked:
    """Revoke a key with immediate effect."""
    await service.revoke_key(workspace.catalog, request.id)
    return KeyRevoked(id=request.id)


def _shown(key: Key, last_used: int | None) -> KeyShown:
    day = None if last_used is None else localtime.date_of(last_used).isoformat()
    return KeyShown(**msgspec.structs.asdict(key), last_used=day)
