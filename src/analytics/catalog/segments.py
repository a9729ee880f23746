"""Validates, adds, changes and removes a site's segments, for pages and commands.

The caller has parsed the filters with `api/query_json.py`: the catalog does not know queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from analytics.catalog.base import Catalog
from analytics.catalog.rules import check_text
from analytics.catalog.site_items import SEGMENTS
from analytics.errors import Conflict, Malformed, NotFound
from analytics.goal import Segment
from analytics.site import Site

MAX_NAME_CHARS: Final = 120
MAX_FILTERS_CHARS: Final = 20_000


def checked(segment: Segment) -> Segment:
    """Return *segment* normalized for storage. Raise `Malformed`."""
    segment = msgspec.structs.replace(
        segment, name=segment.name.strip(), owner=segment.owner.strip().lower()
    )
    if not segment.name:
        raise Malformed("name", "give the segment a name")
    check_text("name", segment.name, MAX_NAME_CHARS)
    if len(segment.filters) > MAX_FILTERS_CHARS:
        raise Malformed("filters", f"are longer than {MAX_FILTERS_CHARS:,} characters")
    return segment


async def add_segment(catalog: Catalog, domain: str, segment: Segment) -> Segment:
    """Add *segment*, whose id is ignored, to a site and return it.

    Raise `NotFound` for the site, `Malformed`, and `Conflict` if somebody who sees the segment sees
    another one of that name.
    """
    segment = checked(segment)

    def edit(site: Site) -> Site:
        _check_name(site, segment, site.segments)
        return SEGMENTS.added(site, segment)

    site = await catalog.sites.edit(domain, edit)
    return max(
        (each for each in site.segments if _is_named(each, segment)), key=lambda each: each.id
    )


async def change_segment(catalog: Catalog, domain: str, segment: Segment) -> Segment:
    """Replace the segment of that id; raise as `add_segment`, and `NotFound` without such a one."""
    segment = checked(segment)

    def edit(site: Site) -> Site:
        _check_name(site, segment, SEGMENTS.others(site, segment.id))
        return SEGMENTS.changed(site, segment)

    return SEGMENTS.find(await catalog.sites.edit(domain, edit), segment.id)


async def remove_segment(catalog: Catalog, domain: str, segment_id: int) -> None:
    """Remove a segment; no event is deleted. Raise `NotFound` for the site or the segment."""
    await catalog.sites.edit(domain, lambda site: SEGMENTS.removed(site, segment_id))


def find_equal(site: Site, segment: Segment) -> Segment | None:
    """Return the segment of *site* that differs from *segment* by its id alone, if any."""
    segment = checked(segment)
    for each in site.segments:
        if msgspec.structs.replace(each, id=segment.id) == segment:
            return each
    return None


def segment_named(site: Site, name: str) -> Segment:
    """Return the segment of that id, or the only one of that name. Raise `NotFound`, `Conflict`."""
    for segment in site.segments:
        if str(segment.id) == name:
            return segment
    match [segment for segment in site.segments if segment.name == name]:
        case [segment]:
            return segment
        case []:
            raise NotFound(
                f"{site.domain} has no segment {name[:80]!r}; `analytics segment list"
                f" {site.domain}` shows them"
            )
        case several:
            ids = ", ".join(str(segment.id) for segment in several)
            raise Conflict(f"several segments are called {name!r}; give one of the ids {ids}")


def seen_by(site: Site, reader: str) -> tuple[Segment, ...]:
    """Return the segments that the person with the email address *reader* may use."""
    return tuple(each for each in site.segments if each.owner in ("", reader))


def _check_name(site: Site, segment: Segment, others: Iterable[Segment]) -> None:
    """Raise `Conflict` if somebody would see two segments of the same name."""
    for other in others:
        seen_together = not other.owner or not segment.owner or other.owner == segment.owner
        if other.name == segment.name and seen_together:
            raise SEGMENTS.name_conflict(site, segment)


def _is_named(one: Segment, other: Segment) -> bool:
    return (one.name, one.owner) == (other.name, other.owner)
