"""A site's segments, as pages, commands and the API change them.

Whoever calls has read the filters by `api/query_json.py`: the catalog does not know queries.
"""

from __future__ import annotations

from typing import Final

import msgspec

from analytics.catalog.base import Catalog
from analytics.catalog.rules import check_text
from analytics.errors import Conflict, Malformed, NotFound
from analytics.goal import Segment
from analytics.site import Site

MAX_SEGMENTS: Final = 200
"""Of one site, everybody's together."""
MAX_NAME_CHARS: Final = 120
MAX_FILTERS_CHARS: Final = 20_000


def checked(segment: Segment) -> Segment:
    """Return *segment* as it is kept. Raise `Malformed`."""
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

    Raise `NotFound` for the site, `Malformed`, and `Conflict` if a segment that its readers see has
    the name.
    """
    segment = checked(segment)

    def edit(site: Site) -> Site:
        _check_name(site, segment)
        if len(site.segments) >= MAX_SEGMENTS:
            raise Conflict(
                f"{domain} has {MAX_SEGMENTS} segments, which is the most; remove one first"
            )
        added = msgspec.structs.replace(segment, id=site.last_id + 1)
        return _with_segments(site, (*site.segments, added))

    site = await catalog.sites.edit(domain, edit)
    return max(
        (each for each in site.segments if _is_named(each, segment)), key=lambda each: each.id
    )


async def change_segment(catalog: Catalog, domain: str, segment: Segment) -> Segment:
    """Replace the segment of that id; raise as `add_segment`, and `NotFound` without such a one."""
    segment = checked(segment)

    def edit(site: Site) -> Site:
        find_segment(site, segment.id)
        others = tuple(each for each in site.segments if each.id != segment.id)
        _check_name(msgspec.structs.replace(site, segments=others), segment)
        return _with_segments(site, (*others, segment))

    return find_segment(await catalog.sites.edit(domain, edit), segment.id)


async def remove_segment(catalog: Catalog, domain: str, segment_id: int) -> None:
    """Remove a segment; no event goes with it. Raise `NotFound` for the site or the segment."""

    def edit(site: Site) -> Site:
        find_segment(site, segment_id)
        return _with_segments(site, tuple(each for each in site.segments if each.id != segment_id))

    await catalog.sites.edit(domain, edit)


def find_segment(site: Site, segment_id: int) -> Segment:
    """Return the segment of that id. Raise `NotFound`."""
    for segment in site.segments:
        if segment.id == segment_id:
            return segment
    raise NotFound(f"{site.domain} has no segment {segment_id}")


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


def _check_name(site: Site, segment: Segment) -> None:
    """Raise `Conflict` where somebody would see two segments of one name."""
    for known in site.segments:
        seen_together = not known.owner or not segment.owner or known.owner == segment.owner
        if known.name == segment.name and seen_together:
            raise Conflict(
                f"{site.domain} has another segment called {segment.name!r}; give a new name"
            )


def _is_named(one: Segment, other: Segment) -> bool:
    return (one.name, one.owner) == (other.name, other.owner)


def _with_segments(site: Site, segments: tuple[Segment, ...]) -> Site:
    segments = tuple(sorted(segments, key=lambda each: (each.name.lower(), each.name, each.id)))
    last_id = max([site.last_id, *(each.id for each in segments)])
    return msgspec.structs.replace(site, segments=segments, last_id=last_id)
