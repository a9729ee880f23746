"""Operations on the links that open a site's report without a login."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog import shared_links
from analytics.shared_link import SharedLink


class CreateLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`link create`."""

    site: str
    name: str
    password: str = ""
    """What the report asks for; empty for none."""
    embeddable: bool = False
    """Whether pages of other sites may show the report in a frame."""


class ListLinks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`link list`."""

    site: str


class NamedLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`link show` and `link revoke`."""

    site: str
    link: str
    """Its name, or its id."""


class LinkShown(msgspec.Struct, frozen=True, kw_only=True):
    """A link as scripts read it."""

    site: str
    id: int
    name: str
    created_at: int
    """In UTC milliseconds."""
    has_password: bool
    embeddable: bool


class LinkCreated(LinkShown, frozen=True, kw_only=True):
    """A new link, and its address, which is shown only once."""

    address: str
    """The whole one where `serve.public_url` is set; else without the server's."""


async def create(workspace: Workspace, request: CreateLink, _: OperationContext) -> LinkCreated:
    """Make a link."""
    domain = workspace.site(request.site).domain
    created = await shared_links.add_link(
        workspace.catalog,
        domain,
        request.name,
        now=workspace.clock(),
        password_text=request.password,
        embeddable=request.embeddable,
    )
    origin = workspace.settings.serve.public_url.rstrip("/")
    address = origin + shared_links.address_of(domain, created.secret)
    return LinkCreated(address=address, **_members(domain, created.link))


async def every(
    workspace: Workspace, request: ListLinks, _: OperationContext
) -> Sequence[LinkShown]:
    """Return the links of a site, the oldest first."""
    site = workspace.site(request.site)
    return [LinkShown(**_members(site.domain, link)) for link in site.shared_links]


async def show(workspace: Workspace, request: NamedLink, _: OperationContext) -> LinkShown:
    """Return one link."""
    site = workspace.site(request.site)
    return LinkShown(**_members(site.domain, shared_links.link_named(site, request.link)))


async def revoke(workspace: Workspace, request: NamedLink, _: OperationContext) -> LinkShown:
    """Make a link worthless at once, and return what it was."""
    site = workspace.site(request.site)
    link = shared_links.link_named(site, request.link)
    await shared_links.revoke_link(workspace.catalog, site.domain, link.id)
    return LinkShown(**_members(site.domain, link))


def _members(domain: str, link: SharedLink) -> dict[str, Any]:
    return {
        "site": domain,
        "id": link.id,
        "name": link.name,
        "created_at": link.created_at,
        "has_password": bool(link.password_hash),
        "embeddable": link.embeddable,
    }
