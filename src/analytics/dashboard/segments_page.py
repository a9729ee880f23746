"""Saving the filters of a report as a segment."""

from __future__ import annotations

from starlette.datastructures import QueryParams
from starlette.responses import Response

from analytics.api import named_filters
from analytics.catalog import segments
from analytics.dashboard import filters
from analytics.dashboard import report_url as addresses
from analytics.dashboard.page_request import PageRequest, redirect
from analytics.errors import Conflict, Forbidden
from analytics.goal import Segment


async def save(ask: PageRequest) -> Response:
    """Save the filters of the report's address, and show the report by the segment."""
    site, person = ask.site(), ask.someone()
    form = await ask.posted()
    address = addresses.parse(
        site.domain, QueryParams([(key, str(value)) for key, value in form.multi_items()])
    )
    shared = "shared" in form
    if shared and not person.owner:
        raise Forbidden("Only an owner shares a segment with everybody. Save it for yourself.")
    sent = filters.as_json(address.conditions)
    await named_filters.check_segment(sent, site, ask.deps.store, ask.deps.clock())
    segment = Segment(
        id=0,
        name=str(form.get("name", "")),
        filters=sent,
        owner="" if shared else person.email,
    )
    try:
        saved = await segments.add_segment(ask.deps.catalog, site.domain, segment)
    except Conflict:
        equal = segments.find_equal(ask.site(), segment)
        if equal is None:
            raise
        saved = equal  # the same form was sent twice
    return redirect(address.but(conditions=()).with_condition(filters.SEGMENT, str(saved.id)).url())
