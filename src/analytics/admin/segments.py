"""Operations on a site's segments."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.api import named_filters
from analytics.catalog import segments
from analytics.errors import NotFound
from analytics.goal import Segment


class AddSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`segment add`."""

    site: str
    name: str
    filters: str
    """In the JSON of the Stats API: a list, all of which must match."""
    owner: str = ""
    """The email address of the person whose own it becomes; empty to share it."""


class ChangeSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`segment change`: what is left out stays as it is."""

    site: str
    segment: str
    """Its id, or its name if only one segment has it."""
    name: str | msgspec.UnsetType = msgspec.UNSET
    filters: str | msgspec.UnsetType = msgspec.UNSET
    owner: str | msgspec.UnsetType = msgspec.UNSET


class ListSegments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`segment list`."""

    site: str


class NamedSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`segment show` and `segment remove`."""

    site: str
    segment: str
    """Its id, or its name if only one segment has it."""


class SegmentShown(msgspec.Struct, frozen=True, kw_only=True):
    """A segment as scripts read it."""

    site: str
    id: int
    name: str
    owner: str
    """The email address of the person whose own it is; empty for one that everybody shares."""
    filters: msgspec.Raw


async def add_segment(
    workspace: Workspace, request: AddSegment, _: OperationContext
) -> SegmentShown:
    """Save filters under a name."""
    site = workspace.site(request.site)
    segment = Segment(id=0, name=request.name, filters=request.filters, owner=request.owner)
    await named_filters.check_segment(segment.filters, site, workspace.store, workspace.clock())
    await _check_owner(workspace, segment)
    added = await segments.add_segment(workspace.catalog, site.domain, segment)
    return shown(site.domain, added)


async def change_segment(
    workspace: Workspace, request: ChangeSegment, _: OperationContext
) -> SegmentShown:
    """Change what is given of a segment."""
    site = workspace.site(request.site)
    old = segments.segment_named(site, request.segment)
    fields = {name: getattr(request, name) for name in ("name", "filters", "owner")}
    changes = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    segment = msgspec.structs.replace(old, **changes)
    if "filters" in changes:  # a broken one can be renamed, or given to somebody else
        await named_filters.check_segment(segment.filters, site, workspace.store, workspace.clock())
    await _check_owner(workspace, segment)
    changed = await segments.change_segment(workspace.catalog, site.domain, segment)
    return shown(site.domain, changed)


async def _check_owner(workspace: Workspace, segment: Segment) -> None:
    """Raise `NotFound` for an unknown owner."""
    owner = segment.owner.strip().lower()
    if owner and owner not in {person.email for person in await workspace.catalog.people.all()}:
        raise NotFound(f"{owner[:120]} is nobody who logs in here; `analytics user list` shows who")


async def every_segment(
    workspace: Workspace, request: ListSegments, _: OperationContext
) -> Sequence[SegmentShown]:
    """Return the segments of a site, everybody's, by name."""
    site = workspace.site(request.site)
    return [shown(site.domain, each) for each in site.segments]


async def show_segment(
    workspace: Workspace, request: NamedSegment, _: OperationContext
) -> SegmentShown:
    """Return one segment."""
    site = workspace.site(request.site)
    return shown(site.domain, segments.segment_named(site, request.segment))


async def remove_segment(
    workspace: Workspace, request: NamedSegment, _: OperationContext
) -> SegmentShown:
    """Remove a segment, and return what it was."""
    site = workspace.site(request.site)
    segment = segments.segment_named(site, request.segment)
    await segments.remove_segment(workspace.catalog, site.domain, segment.id)
    return shown(site.domain, segment)


def shown(domain: str, segment: Segment) -> SegmentShown:
    """Return *segment* as scripts read it."""
    return SegmentShown(
        site=domain,
        id=segment.id,
        name=segment.name,
        owner=segment.owner,
        filters=msgspec.Raw(segment.filters.encode()),
    )
