"""The views of `analytics sql`: each column's name, type, meaning and unit, and where it lies.

docs/sql.md has the same table, and a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from analytics.event import Row


class ViewColumn(NamedTuple):
    """A column of a view."""

    type: str
    sql: str
    """Its value in the select of the view; `{day}` stands for the local day's expression."""
    meaning: str


_TEXT: Final = "VARCHAR"
_DATE: Final = "DATE '1970-01-01' + CAST({day} AS INTEGER)"
_PAGEVIEW: Final = "name = 'pageview'"


def _same(name: str, meaning: str, kind: str = _TEXT) -> dict[str, ViewColumn]:
    return {name: ViewColumn(kind, name, meaning)}


EVENTS: Final[Mapping[str, ViewColumn]] = {
    **_same("site", "domain of the site"),
    **_same("event_id", "unique within the site", "UUID"),
    "ts": ViewColumn("TIMESTAMP", "epoch_ms(ts)", "when it happened, in UTC"),
    "received_at": ViewColumn("TIMESTAMP", "epoch_ms(received_at)", "when it came in, in UTC"),
    "day": ViewColumn("DATE", _DATE, "when it happened, as a day in the site's time zone"),
    **_same("visitor", "number of the visitor; without a cookie, another one each day", "UBIGINT"),
    "visit": ViewColumn(
        "UBIGINT", "nullif(session, 0)", "number of its visit; NULL for a ping outside any visit"
    ),
    **_same("name", "`pageview`, `engagement` (a ping), or the name of a custom event"),
    **_same("hostname", "host of the page"),
    **_same("path", "path of the page"),
    **_same("title", "title of the page"),
    **_same("referrer", "host and path of the page before, without scheme; empty when direct"),
    **_same("source", "name of where the event came from"),
    **_same("channel", "channel of where the event came from"),
    **_same("utm_source", "tag of the page's address"),
    **_same("utm_medium", "tag of the page's address"),
    **_same("utm_campaign", "tag of the page's address"),
    **_same("utm_content", "tag of the page's address"),
    **_same("utm_term", "tag of the page's address"),
    **_same("click_id", "kind of the click id in the page's address, such as `gclid`"),
    **_same("country", "ISO 3166-1 alpha-2"),
    **_same("region", "ISO 3166-2"),
    **_same("city", "name of the city"),
    **_same("device", "Desktop, Mobile, Tablet, TV or Other"),
    **_same("browser", "name of the browser"),
    **_same("browser_version", "version of the browser"),
    **_same("os", "name of the operating system"),
    **_same("os_version", "version of the operating system"),
    **_same("screen", "size of the screen in pixels, as `1920x1080`"),
    **_same("language", "BCP 47, lower case"),
    **_same("props", "custom properties by key", "MAP(VARCHAR, VARCHAR)"),
    **_same("revenue", "amount sent with the event, in `currency`", "DECIMAL(38,3)"),
    **_same("currency", "ISO 4217; empty without revenue"),
    **_same("scroll_depth", "of a ping: how far down the page was seen, in percent", "SMALLINT"),
    **_same("engaged_ms", "of a ping: how long the page was used, in milliseconds", "BIGINT"),
    **_same("interactive", "whether a custom event keeps its visit from being a bounce", "BOOLEAN"),
    **_same("bot", "why the sender is held for a machine; NULL for a person"),
}

_ENTRY: Final = {
    f"entry_{name}": ViewColumn(
        _TEXT, f"any_value(entry_{name})", f"{EVENTS[name].meaning}; of the event that opened it"
    )
    for name in EVENTS
    if f"entry_{name}" in Row.__struct_fields__
}

VISITS: Final[Mapping[str, ViewColumn]] = {
    **_same("site", "domain of the site"),
    "visit": ViewColumn("UBIGINT", "session", "number of the visit; unique within the site"),
    "visitor": ViewColumn("UBIGINT", "any_value(visitor)", "number of the visitor"),
    "started_at": ViewColumn(
        "TIMESTAMP", "epoch_ms(any_value(session_start))", "when it began, in UTC"
    ),
    "day": ViewColumn("DATE", _DATE, "when it began, as a day in the site's time zone"),
    "duration_ms": ViewColumn(
        "BIGINT", "CAST(sum(gap_ms) AS BIGINT)", "from its first to its last hit, in milliseconds"
    ),
    "pageviews": ViewColumn("BIGINT", f"count(*) FILTER ({_PAGEVIEW})", "pages viewed"),
    "events": ViewColumn(
        "BIGINT", "count(*) FILTER (name <> 'engagement')", "pageviews and custom events"
    ),
    "bounced": ViewColumn(
        "BOOLEAN", "sum(opens) > sum(engages)", "whether it was a bounce, as in metrics.md"
    ),
    "exit_hostname": ViewColumn(
        _TEXT,
        f"max_by(hostname, (ts, log_offset)) FILTER ({_PAGEVIEW})",
        "host of the last page viewed; NULL without pageviews",
    ),
    "exit_path": ViewColumn(
        _TEXT,
        f"max_by(path, (ts, log_offset)) FILTER ({_PAGEVIEW})",
        "path of the last page viewed; NULL without pageviews",
    ),
    "bot": ViewColumn(
        _TEXT,
        "any_value(bot) FILTER (opens = 1)",
        "why the visitor is held for a machine; NULL for a person",
    ),
    **_ENTRY,
}

CELLS: Final[Mapping[str, ViewColumn]] = {
    **_same("site", "domain of the site"),
    **_same("dimension", "a dimension of metrics.md, or `total` for the site as a whole"),
    **_same("value", "value of the dimension; empty for `total`"),
    "day": ViewColumn("DATE", _DATE, "the day, in the site's time zone"),
    "visitors": ViewColumn(
        "BIGINT", "coalesce(gaps.visitors, 0)", "different visitors on that day"
    ),
    "visitors_by_gap": ViewColumn(
        "MAP(INTEGER, BIGINT)",
        "coalesce(gaps.by_gap, MAP {})",
        "those visitors by the days since each was last active for this value; 2147483647: never",
    ),
    **_same("pageviews", "pages viewed", "BIGINT"),
    **_same("events", "pageviews and custom events", "BIGINT"),
    "visits": ViewColumn("BIGINT", "begun", "visits that began"),
    "bounces": ViewColumn("BIGINT", "begun - engages", "those of them that bounced"),
    **_same("duration_ms", "their duration altogether, in milliseconds", "BIGINT"),
    "views": ViewColumn("BIGINT", "views", "their pageviews altogether"),
    "visits_here": ViewColumn(
        "BIGINT", "viewed", "of pages and hostnames: visits with a pageview there"
    ),
    **_same("exits", "of pages: visits whose last pageview was there", "BIGINT"),
    **_same("engaged_ms", "of pages: how long they were used, in milliseconds", "BIGINT"),
    "scroll_sum": ViewColumn(
        "BIGINT", "scroll_sum", "of pages: the greatest depth of each visit, in percent, summed"
    ),
    "scroll_visits": ViewColumn("BIGINT", "scroll_visits", "of pages: visits with such a reading"),
}

VIEWS: Final[Mapping[str, Mapping[str, ViewColumn]]] = {
    "events": EVENTS,
    "visits": VISITS,
    "cells": CELLS,
}
