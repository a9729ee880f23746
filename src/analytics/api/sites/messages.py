"""The requests and responses of the Sites API; the OpenAPI document is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request, as JSON or as a form."""


class AddedSite(Fields, frozen=True, kw_only=True):
    """`POST /api/v1/sites`."""

    domain: str
    timezone: str = "Etc/UTC"


class ChangedSite(Fields, frozen=True, kw_only=True):
    """`PUT /api/v1/sites/{site_id}`: what is left out stays as it is."""

    domain: str | None = None
    """It may only be the site's own: events are stored under it."""
    timezone: str | None = None


class OfSite(Fields, frozen=True, kw_only=True):
    """The site; a key for a single site may leave it out."""

    site_id: str = ""


class PutGoal(OfSite, frozen=True, kw_only=True):
    """`PUT /api/v1/sites/goals`."""

    goal_type: Literal["event", "page"]
    event_name: str | None = None
    page_path: str | None = None
    display_name: str | None = None
    scroll_threshold: Annotated[int, Meta(ge=-1, le=100)] | None = None
    """The depth in percent to which the page must be scrolled down; -1 for no such condition."""
    currency: str | None = None
    custom_props: Mapping[str, str] = {}


class PutProperty(OfSite, frozen=True, kw_only=True):
    """`PUT /api/v1/sites/custom-props`."""

    property: str


class PutLink(OfSite, frozen=True, kw_only=True):
    """`PUT /api/v1/sites/shared-links`."""

    name: str
    password: str = ""
    """What the report asks for; only with a new link."""
    embeddable: bool = False
    """Whether pages of other sites may show the report in a frame; only with a new link."""
    renew: bool = False
    """Whether an existing link gets a new address, so that the old one stops working."""


class PutGuest(OfSite, frozen=True, kw_only=True):
    """`PUT /api/v1/sites/guests`."""

    email: str
    role: str = "viewer"


class PageMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The cursors for `after` and `before`; null at an end of the list."""

    after: str | None
    before: str | None
    limit: int


class SiteLine(msgspec.Struct, frozen=True, kw_only=True):
    """A site in a list."""

    domain: str
    timezone: str


class SiteReply(SiteLine, frozen=True, kw_only=True):
    """One site."""

    custom_properties: tuple[str, ...]


class SiteDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted with a site."""

    deleted: bool
    events_deleted: int
    keys_revoked: int
    viewers_withdrawn: int


class GoalReply(msgspec.Struct, frozen=True, kw_only=True):
    """A goal."""

    id: str
    goal_type: Literal["event", "page"]
    display_name: str
    event_name: str | None
    page_path: str | None
    scroll_threshold: int | None
    currency: str | None
    custom_props: Mapping[str, str]


class GoalFound(GoalReply, frozen=True, kw_only=True):
    """A goal that exists already or was created, and its site."""

    domain: str


class PropertyReply(msgspec.Struct, frozen=True, kw_only=True):
    """A custom property that the report offers."""

    property: str


class LinkReply(msgspec.Struct, frozen=True, kw_only=True):
    """A shared link."""

    id: str
    name: str
    has_password: bool
    embeddable: bool


class LinkFound(LinkReply, frozen=True, kw_only=True):
    """A shared link that exists already or was created."""

    url: str | None
    """Its address, shown only once; null for an existing link.

    Only a hash of its secret is kept.
    """
    hint: str = ""


class GuestReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who may see the site."""

    email: str
    role: str
    status: Literal["accepted", "invited"]
    """`invited` until they have chosen a password of their own."""
    first_password: str = ""
    """The initial password of a new account, shown only once; it must be changed at the first
    login.
    """


class SiteList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list of sites."""

    sites: list[SiteLine]
    meta: PageMeta


class GoalList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list of goals."""

    goals: list[GoalReply]
    meta: PageMeta


class PropertyList(msgspec.Struct, frozen=True, kw_only=True):
    """The custom properties that the report offers."""

    custom_properties: list[PropertyReply]


class LinkList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list of shared links."""

    shared_links: list[LinkReply]
    meta: PageMeta


class GuestList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list of guests."""

    guests: list[GuestReply]
    meta: PageMeta


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """It exists now."""

    created: bool


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """It is deleted."""

    deleted: bool
