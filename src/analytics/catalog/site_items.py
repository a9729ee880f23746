"""A site's list of goals or of segments: items with an id and a name, in the order of their names.

The functions take a site and return the changed one; `Sites.edit` stores it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec

from analytics.errors import Conflict, NotFound
from analytics.goal import Goal, Segment
from analytics.site import Site

Item = TypeVar("Item", bound=Goal | Segment)


@dataclass(frozen=True)
class SiteItems(Generic[Item]):
    """The list in the field *field* of a site, of at most *limit* items."""

    noun: str
    field: str
    limit: int

    def of(self, site: Site) -> tuple[Item, ...]:
        """Return the items of *site*, by name."""
        items: tuple[Item, ...] = getattr(site, self.field)
        return items

    def find(self, site: Site, item_id: int) -> Item:
        """Return the item of that id. Raise `NotFound`."""
        for item in self.of(site):
            if item.id == item_id:
                return item
        raise NotFound(f"{site.domain} has no {self.noun} {item_id}")

    def others(self, site: Site, item_id: int) -> tuple[Item, ...]:
        """Return all items but the one of that id. Raise `NotFound` without such an item."""
        self.find(site, item_id)
        return tuple(item for item in self.of(site) if item.id != item_id)

    def added(self, site: Site, item: Item) -> Site:
        """Return *site* with *item*, which gets a new id. Raise `Conflict` if the list is full."""
        items = self.of(site)
        if len(items) >= self.limit:
            raise Conflict(
                f"{site.domain} has {self.limit} {self.field}, which is the most; remove one first"
            )
        return self._with(site, [*items, msgspec.structs.replace(item, id=site.last_id + 1)])

    def changed(self, site: Site, item: Item) -> Site:
        """Return *site* with *item* in place of the item of its id. Raise `NotFound`."""
        return self._with(site, [*self.others(site, item.id), item])

    def removed(self, site: Site, item_id: int) -> Site:
        """Return *site* without the item of that id. Raise `NotFound`."""
        return self._with(site, self.others(site, item_id))

    def name_conflict(self, site: Site, item: Item) -> Conflict:
        """Return the error to raise when another item has the name of *item*."""
        return Conflict(
            f"{site.domain} has another {self.noun} called {item.name!r}; give a new name"
        )

    def _with(self, site: Site, items: Iterable[Item]) -> Site:
        ordered = sorted(items, key=lambda item: (item.name.lower(), item.name, item.id))
        last_id = max([site.last_id, *(item.id for item in ordered)])
        return msgspec.structs.replace(site, **{self.field: tuple(ordered)}, last_id=last_id)


GOALS: Final = SiteItems[Goal]("goal", "goals", limit=200)
SEGMENTS: Final = SiteItems[Segment]("segment", "segments", limit=200)
"""Everybody's together."""
