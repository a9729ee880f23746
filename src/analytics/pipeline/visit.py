"""A visit as the sessionizer remembers it: enough to know whether the next event joins it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from analytics.event import PAGEVIEW, Row


class Entry(msgspec.Struct, frozen=True, gc=False):
    """The attributes of the event that opened a visit: the `entry_…` columns of a row, in order."""

    hostname: str
    path: str
    referrer: str
    source: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_content: str
    utm_term: str
    country: str
    region: str
    city: str
    device: str
    browser: str
    browser_version: str
    os: str
    os_version: str
    screen: str
    language: str


class Visit(msgspec.Struct, kw_only=True, gc=False):
    """One visit, updated in place as its visitor's events come in log order."""

    site: str
    visitor: int
    bot: bool
    """Rows of machines make visits of their own, so that they can't touch a person's."""
    session: int
    session_start: int
    """`ts` of the event that opened it; never changes."""
    first: int
    """The earliest `ts` so far: at or before `session_start`, because events come late."""
    last: int
    """The latest `ts` so far, but for readings of a page that lay idle before. last - first is the
    visit's duration."""
    touched: int
    """The latest `received_at` so far."""
    offset: int
    """The `log_offset` of the event that joined it last: orders a visitor's visits by log."""
    pageviews: int
    engaged: bool
    """Whether it has stopped being a bounce."""
    last_view: int
    """`ts` of its last pageview; -1 when it has none."""
    last_path: str | None
    last_hostname: str | None
    entry: Entry


def visits_from_rows(rows: Iterable[Row]) -> list[Visit]:
    """The visits that *rows* add up to; each visit's rows must all be there.

    What a store answers with SQL when it is asked for visits, said once in Python.
    """
    visits: dict[int, list[Row]] = {}
    for row in rows:
        if row.session:
            visits.setdefault(row.session, []).append(row)
    return [_visit(parts) for parts in visits.values()]


def _visit(rows: list[Row]) -> Visit:
    one = rows[0]
    # Where it reaches to, the one row said that opened it, or those that lengthened it.
    extent = [row.ts for row in rows if row.opens or row.gap_ms] or [one.session_start]
    views = [row for row in rows if row.name == PAGEVIEW]
    last = max(views, key=lambda row: (row.ts, row.log_offset), default=None)
    return Visit(
        site=one.site,
        visitor=one.visitor,
        bot=one.bot is not None,
        session=one.session,
        session_start=one.session_start,
        first=min(extent),
        last=max(extent),
        touched=max(row.received_at for row in rows),
        offset=max(row.log_offset for row in rows),
        pageviews=len(views),
        engaged=any(row.engages for row in rows),
        last_view=-1 if last is None else last.ts,
        last_path=None if last is None else last.path,
        last_hostname=None if last is None else last.hostname,
        entry=Entry(**{field: getattr(one, f"entry_{field}") for field in Entry.__struct_fields__}),
    )
