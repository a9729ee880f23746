"""The operation that deletes events for good: a visitor's, certain visits', or all of a site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from analytics import visit_selection
from analytics.admin import visitor_reference
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed
from analytics.query import Compare, Op, Query
from analytics.site import Site

_OPERATORS: Final = {
    "is": Op.IS,
    "is_not": Op.IS_NOT,
    "contains": Op.CONTAINS,
    "contains_not": Op.CONTAINS_NOT,
}


class Erase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`erase`."""

    site: str
    visitor: int | None
    """The visitor's number, as exports show it."""
    cookie: str | None = None
    """The value of the visitor's cookie. Without number and cookie, all visitors are meant."""
    filters: Sequence[str] = ()
    """Only visits that have an event for which all filters hold; see `parse_filter`."""
    start: str | None = None
    """Only visits with such an event in this span of time; see `time_span.of`."""
    end: str | None = None


class EraseResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The number of deleted events."""

    site: str
    rows: int
    visits: int | None = None
    """The number of deleted visits, if certain visits were selected."""
    imports: int | None = None
    """The number of deleted imports of other products, if everything was selected."""


async def count(workspace: Workspace, request: Erase, _: OperationContext) -> EraseResult:
    """Count the events that `run` would delete."""
    site = workspace.site(request.site)
    if (query := _visits(site, request)) is not None:
        await workspace.settle()
        visits, rows = await workspace.erases.count_visits(query)
        return EraseResult(site=site.domain, rows=rows, visits=visits)
    visitor = visitor_reference.named(site, request.visitor, request.cookie)
    await workspace.settle()
    return EraseResult(
        site=site.domain,
        rows=await workspace.erases.count_rows(site.domain, visitor),
        imports=await _imports(workspace, site) if visitor is None else None,
    )


async def run(workspace: Workspace, request: Erase, job: OperationContext) -> EraseResult:
    """Delete the events from the figures and from every file; the ledger keeps their number.

    Raise `Unavailable`, saying what to do, if a file still contains them.
    """
    site = workspace.site(request.site)
    if (query := _visits(site, request)) is not None:
        await workspace.settle()
        visits, rows = await workspace.erases.erase_visits(query)
        await workspace.erases.compact(job.share)
        return EraseResult(site=site.domain, rows=rows, visits=visits)
    visitor = visitor_reference.named(site, request.visitor, request.cookie)
    await workspace.settle()
    imports = None
    if visitor is None:
        imports = await _imports(workspace, site)
        rows = await workspace.erases.delete_site(site.domain)
    else:
        rows = await workspace.erases.erase_visitor(site.domain, visitor)
    await workspace.erases.compact(job.share)
    return EraseResult(site=site.domain, rows=rows, imports=imports)


async def _imports(workspace: Workspace, site: Site) -> int:
    return len(await workspace.store.imports(site.domain))


def _visits(site: Site, request: Erase) -> Query | None:
    """Return the query for the visits to delete; None if no certain visits are selected."""
    if not request.filters and request.start is None and request.end is None:
        return None
    if request.visitor is not None or request.cookie is not None:
        raise Malformed("filter", "name a visitor, or a filter and a time, not both")
    filters = [parse_filter(text) for text in request.filters]
    return visit_selection.chosen(site, filters, request.start, request.end)


def parse_filter(text: str) -> Compare:
    """Return the filter that `<dimension> <operator> <value>` describes: `event:page is /x`.

    Raise `Malformed`.
    """
    dimension, _, rest = text.strip().partition(" ")
    operator, _, value = rest.strip().partition(" ")
    if operator not in _OPERATORS or not value:
        raise Malformed(
            "filter",
            f"{text[:80]!r} is not <dimension> <operator> <value>, such as 'event:page is /x';"
            f" operators are {', '.join(_OPERATORS)}",
        )
    return Compare(_OPERATORS[operator], dimension, (value.strip(),))
