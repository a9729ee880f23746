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
    """As the exports show it."""
    cookie: str | None = None
    """The value of the visitor's cookie; without both, everybody's events go."""
    filters: Sequence[str] = ()
    """Only the visits that have an event for which all of them hold; see `parse_filter`."""
    start: str | None = None
    """Only those with such an event in a span of time; see `span.of`."""
    end: str | None = None


class EraseResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many events are gone."""

    site: str
    rows: int
    visits: int | None = None
    """How many visits, where visits were asked for."""


async def count(workspace: Workspace, asked: Erase, _: OperationContext) -> EraseResult:
    """Count the events that `run` would delete."""
    site = workspace.site(asked.site)
    if (query := _visits(site, asked)) is not None:
        await workspace.settle()
        visits, rows = await workspace.erases.count_visits(query)
        return EraseResult(site=site.domain, rows=rows, visits=visits)
    visitor = visitor_reference.named(site, asked.visitor, asked.cookie)
    await workspace.settle()
    return EraseResult(
        site=site.domain, rows=await workspace.erases.count_rows(site.domain, visitor)
    )


async def run(workspace: Workspace, asked: Erase, job: OperationContext) -> EraseResult:
    """Delete them, from the figures and from every file; the ledger says how many there were.

    Raises `Unavailable` where a file still holds them, which says how that ends.
    """
    site = workspace.site(asked.site)
    if (query := _visits(site, asked)) is not None:
        await workspace.settle()
        visits, rows = await workspace.erases.erase_visits(query)
        await workspace.erases.compact(job.share)
        return EraseResult(site=site.domain, rows=rows, visits=visits)
    visitor = visitor_reference.named(site, asked.visitor, asked.cookie)
    await workspace.settle()
    if visitor is None:
        rows = await workspace.erases.delete_site(site.domain)
    else:
        rows = await workspace.erases.erase_visitor(site.domain, visitor)
    await workspace.erases.compact(job.share)
    return EraseResult(site=site.domain, rows=rows)


def _visits(site: Site, asked: Erase) -> Query | None:
    """What asks for the visits that are to go; None when none are singled out."""
    if not asked.filters and asked.start is None and asked.end is None:
        return None
    if asked.visitor is not None or asked.cookie is not None:
        raise Malformed("filter", "name a visitor, or a filter and a time, not both")
    filters = [parse_filter(text) for text in asked.filters]
    return visit_selection.chosen(site, filters, asked.start, asked.end)


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
