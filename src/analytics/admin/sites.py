"""Operations on sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog import service
from analytics.site import Shields, Site


class AddSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site add`."""

    domain: str
    timezone: str = "Etc/UTC"


class NamedSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A site by domain, id or number."""

    site: str


class ListSites(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site list`."""


class ChangeShields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is changed of a site's shields: each list that is given replaces the one before."""

    addresses: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    countries: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    pages: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    hostnames: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class ChangeSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site change`: what is left out stays as it is."""

    site: str
    timezone: str | msgspec.UnsetType = msgspec.UNSET
    shields: ChangeShields | msgspec.UnsetType = msgspec.UNSET
    honour_dnt: bool | msgspec.UnsetType = msgspec.UNSET
    cookieless: bool | msgspec.UnsetType = msgspec.UNSET
    retention_days: int | msgspec.UnsetType | None = msgspec.UNSET
    public: bool | msgspec.UnsetType = msgspec.UNSET
    other_hostnames: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    count_spam_referrers: bool | msgspec.UnsetType = msgspec.UNSET
    revenue_ceiling: int | msgspec.UnsetType | None = msgspec.UNSET


class CountExpired(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site expired`."""

    site: str
    retention_days: int


class SiteExpired(msgspec.Struct, frozen=True, kw_only=True):
    """What a retention would delete that the site does not have yet."""

    site: str
    events: int
    first_kept: str
    """The first day that it keeps."""


class SiteShown(msgspec.Struct, frozen=True, kw_only=True):
    """A site as scripts read it."""

    site: str
    timezone: str
    id: str
    number: int
    honour_dnt: bool
    cookieless: bool
    retention_days: int | None
    public: bool
    shields: Shields
    other_hostnames: tuple[str, ...]
    count_spam_referrers: bool
    revenue_ceiling: int | None


_FIELDS: Final = SiteShown.__struct_fields__


class SiteAdded(SiteShown, frozen=True, kw_only=True, omit_defaults=True):
    """A new site, and whether it was one before."""

    events_since: int | None = None
    """The first event that is there from before, in UTC milliseconds."""


class RemoveSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site remove`."""

    site: str
    erase: bool = False
    """Whether its events are deleted, too."""


class SiteAttached(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with a site that is removed, and the events that may."""

    site: str
    keys: int
    viewers: int
    rows: int


class SiteRemoved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `site remove` did."""

    site: str
    keys_revoked: int
    viewers_withdrawn: int = 0
    rows_deleted: int = 0


async def add(workspace: Workspace, asked: AddSite, _: OperationContext) -> SiteAdded:
    """Add a site."""
    added = await service.add_site(
        workspace.catalog, workspace.store, asked.domain, timezone=asked.timezone
    )
    return SiteAdded(
        events_since=added.since, **{name: getattr(shown(added.site), name) for name in _FIELDS}
    )


async def every(workspace: Workspace, _: ListSites, __: OperationContext) -> Sequence[SiteShown]:
    """All sites, by domain."""
    return [shown(site) for site in workspace.catalog.sites.all()]


async def show(workspace: Workspace, asked: NamedSite, _: OperationContext) -> SiteShown:
    """Return one site, with all its settings."""
    return shown(workspace.site(asked.site))


async def change(workspace: Workspace, asked: ChangeSite, _: OperationContext) -> SiteShown:
    """Change what is given of a site."""
    site = workspace.site(asked.site)
    changes = {name: value for name, value in _set_fields(asked).items() if name != "site"}
    if asked.shields is not msgspec.UNSET:
        changes["shields"] = msgspec.structs.replace(site.shields, **_set_fields(asked.shields))
    return shown(await service.change_site(workspace.catalog, site.domain, **changes))


async def expired(workspace: Workspace, asked: CountExpired, _: OperationContext) -> SiteExpired:
    """Count what a retention would delete; nothing where it is no shorter than the site's."""
    site = workspace.site(asked.site)
    await workspace.settle()
    gone = await service.expired(workspace.store, site, asked.retention_days, workspace.clock())
    shorter = service.is_shorter(asked.retention_days, site.retention_days)
    return SiteExpired(
        site=site.domain,
        events=gone.events if shorter else 0,
        first_kept=gone.first_kept.isoformat(),
    )


async def attached(workspace: Workspace, asked: NamedSite, _: OperationContext) -> SiteAttached:
    """Count what the removal of a site would take along."""
    site = workspace.site(asked.site)
    await workspace.settle()
    going = await service.attached(workspace.catalog, workspace.erases, site.domain)
    return SiteAttached(
        site=site.domain, keys=len(going.keys), viewers=len(going.viewers), rows=going.rows
    )


async def remove(workspace: Workspace, asked: RemoveSite, job: OperationContext) -> SiteRemoved:
    """Forget a site, with the keys that act on it alone, and its events if that is asked for."""
    site = workspace.site(asked.site)
    if asked.erase:
        await workspace.settle()
    removed = await service.remove_site(
        workspace.catalog, workspace.erases, site.domain, erase=asked.erase
    )
    if asked.erase:
        await workspace.erases.compact(job.share)
    return SiteRemoved(
        site=site.domain,
        keys_revoked=removed.keys,
        viewers_withdrawn=removed.viewers,
        rows_deleted=removed.rows,
    )


def _set_fields(asked: msgspec.Struct) -> dict[str, Any]:
    values = {name: getattr(asked, name) for name in asked.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def shown(site: Site) -> SiteShown:
    """*site* as scripts read it."""
    return SiteShown(
        site=site.domain,
        timezone=site.timezone,
        id=site.id,
        number=site.number,
        honour_dnt=site.honour_dnt,
        cookieless=site.cookieless,
        retention_days=site.retention_days,
        public=site.public,
        shields=site.shields,
        other_hostnames=site.other_hostnames,
        count_spam_referrers=site.count_spam_referrers,
        revenue_ceiling=site.revenue_ceiling,
    )
