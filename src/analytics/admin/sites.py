"""Operations on sites."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analytics.admin.job import Job
from analytics.admin.workspace import Workspace
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


class ChangeSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site change`: what is left out stays as it is."""

    site: str
    timezone: str | msgspec.UnsetType = msgspec.UNSET
    shields: Shields | msgspec.UnsetType = msgspec.UNSET
    honour_dnt: bool | msgspec.UnsetType = msgspec.UNSET
    cookieless: bool | msgspec.UnsetType = msgspec.UNSET
    retention_days: int | msgspec.UnsetType | None = msgspec.UNSET
    public: bool | msgspec.UnsetType = msgspec.UNSET


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


class SiteRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """What `site remove` did; the site's events stay in the store."""

    site: str
    keys_revoked: int


async def add(workspace: Workspace, asked: AddSite, _: Job) -> SiteShown:
    """Add a site."""
    return shown(await workspace.catalog.sites.add(asked.domain, timezone=asked.timezone))


async def every(workspace: Workspace, _: ListSites, __: Job) -> Sequence[SiteShown]:
    """All sites, by domain."""
    return [shown(site) for site in workspace.catalog.sites.all()]


async def change(workspace: Workspace, asked: ChangeSite, _: Job) -> SiteShown:
    """Change what is given of a site."""
    site = workspace.site(asked.site)
    given = {
        name: value
        for name in asked.__struct_fields__
        if name != "site" and (value := getattr(asked, name)) is not msgspec.UNSET
    }
    changed = msgspec.structs.replace(site, **given)
    await workspace.catalog.sites.change(changed)
    return shown(changed)


async def remove(workspace: Workspace, asked: NamedSite, _: Job) -> SiteRemoved:
    """Forget a site, with the keys that act on it alone."""
    site = workspace.site(asked.site)
    keys = [key for key in await workspace.catalog.keys.all() if key.site == site.domain]
    for key in keys:
        await workspace.catalog.keys.revoke(key.id)
    await workspace.catalog.sites.remove(site.domain)
    return SiteRemoved(site=site.domain, keys_revoked=len(keys))


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
    )
