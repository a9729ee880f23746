"""Goals, which a site's owner wants visitors to reach, and segments, which are named filters."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class GoalKind(StrEnum):
    """The kind of event that reaches a goal."""

    PAGE = "page"
    """A page that is viewed."""
    EVENT = "event"
    """A custom event."""
    SCROLL = "scroll"
    """A page that is viewed down to some depth."""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal: every event, past ones too, that meets its conditions reaches it."""

    id: int
    """Unique within the site, and never reused."""
    name: str
    """Unique within the site; filters and reports use it."""
    event: str = ""
    """The name of the event; empty for a goal of a page."""
    page: str = ""
    """The path of the page, in which `*` stands for any text; empty: any page."""
    scroll: int | None = None
    """The least depth, in percent of the page's height, to which the page must be scrolled."""
    properties: tuple[tuple[str, str], ...] = ()
    """Names and values of custom properties that the event must carry, by name."""
    currency: str = ""
    """The ISO 4217 code in which its revenue is summed; empty for a goal without revenue."""

    @property
    def kind(self) -> GoalKind:
        """The kind of event that reaches it."""
        if self.event:
            return GoalKind.EVENT
        return GoalKind.PAGE if self.scroll is None else GoalKind.SCROLL


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of a site that were saved under a name."""

    id: int
    """Unique within the site, and never reused."""
    name: str
    filters: str
    """The filters in the JSON of the Stats API: a list, all of which must match."""
    owner: str = ""
    """The email address of its owner; empty for a segment that everybody shares."""
