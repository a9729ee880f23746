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
    """Changes to a site's shields: each list that is set replaces the previous one."""

    addresses: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    countries: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    pages: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    hostnames: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class ChangeSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site set`: settings that are left out stay as they are."""

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
    custom_properties: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    events_per_day: int | msgspec.UnsetType | None = msgspec.UNSET


class CountExpired(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site expired`."""

    site: str
    retention_days: int


class SiteExpired(msgspec.Struct, frozen=True, kw_only=True):
    """The events that a shorter retention would delete."""

    site: str
    events: int
    first_kept: str
    """The first day whose events would be kept, as an ISO date."""


class SiteShown(msgspec.Struct, frozen=True, kw_only=True):
    """A site in the JSON output of commands."""

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
    custom_properties: tuple[str, ...]
    events_per_day: int | None


_FIELDS: Final = SiteShown.__struct_fields__


class SiteAdded(SiteShown, frozen=True, kw_only=True, omit_defaults=True):
    """A new site, and the events left from an earlier site of the same domain."""

    events_since: int | None = None
    """The time of the first such event in UTC milliseconds."""


class RemoveSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site remove`."""

    site: str
    erase: bool = False
    """Whether to delete its events, too."""


class SiteAttached(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what is removed with a site; its rows only if requested."""

    site: str
    keys: int
    viewers: int
    rows: int
    imports: int = 0
    """Imports of other products, which go with the rows."""


class SiteRemoved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of `site remove`."""

    site: str
    keys_revoked: int
    viewers_withdrawn: int = 0
    rows_deleted: int = 0


async def add(workspace: Workspace, request: AddSite, _: OperationContext) -> SiteAdded:
    """Add a site."""
    added = await service.add_site(
        workspace.catalog, workspace.store, request.domain, timezone=request.timezone
    )
    return SiteAdded(
        events_since=added.since, **{name: getattr(shown(added.site), name) for name in _FIELDS}
    )


async def every(workspace: Workspace, _: ListSites, __: OperationContext) -> Sequence[SiteShown]:
    """Return all sites, ordered by domain."""
    return [shown(site) for site in workspace.catalog.sites.all()]


async def show(workspace: Workspace, request: NamedSite, _: OperationContext) -> SiteShown:
    """Return one site with all its settings."""
    return shown(workspace.site(request.site))


async def change(workspace: Workspace, request: ChangeSite, _: OperationContext) -> SiteShown:
    """Change some settings of a site and return it."""
    site = workspace.site(request.site)
    changes = {name: value for name, value in _set_fields(request).items() if name != "site"}
    if request.shields is not msgspec.UNSET:
        changes["shields"] = _set_fields(request.shields)
    return shown(await service.change_site(workspace.catalog, site.domain, **changes))


async def expired(workspace: Workspace, request: CountExpired, _: OperationContext) -> SiteExpired:
    """Count the events that a retention would delete; 0 unless it is shorter than the site's."""
    site = workspace.site(request.site)
    await workspace.settle()
    expiring = await service.expired(
        workspace.store, site, request.retention_days, workspace.clock()
    )
    shorter = service.is_shorter(request.retention_days, site.retention_days)
    return SiteExpired(
        site=site.domain,
        events=expiring.events if shorter else 0,
        first_kept=expiring.first_kept.isoformat(),
    )


async def attached(workspace: Workspace, request: NamedSite, _: OperationContext) -> SiteAttached:
    """Count what removing a site would remove with it."""
    site = workspace.site(request.site)
    await workspace.settle()
    attachments = await service.attached(workspace.catalog, workspace.erases, site.domain)
    return SiteAttached(
        site=site.domain,
        keys=len(attachments.keys),
        viewers=len(attachments.viewers),
        rows=attachments.rows,
        imports=len(await workspace.store.imports(site.domain)),
    )


async def remove(workspace: Workspace, request: RemoveSite, job: OperationContext) -> SiteRemoved:
    """Remove a site and the keys limited to it, and its events if requested."""
    site = workspace.site(request.site)
    if request.erase:
        await workspace.settle()
    removed = await service.remove_site(
        workspace.catalog, workspace.erases, site.domain, erase=request.erase
    )
    if request.erase:
        await workspace.erases.compact(job.share)
    return SiteRemoved(
        site=site.domain,
        keys_revoked=removed.keys,
        viewers_withdrawn=removed.viewers,
        rows_deleted=removed.rows,
    )


def _set_fields(request: msgspec.Struct) -> dict[str, Any]:
    values = {name: getattr(request, name) for name in request.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def shown(site: Site) -> SiteShown:
    """Return *site* as commands print it."""
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
        custom_properties=site.custom_properties,
        events_per_day=site.events_per_day,
    )
