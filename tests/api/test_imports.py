"""What another product counted joins the answers of both versions that it can, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from tests.dashboard.world import NOW
from tests.imported import export
from tests.store.rows import Log

from analytics.api import stats_v2
from analytics.catalog import goals
from analytics.catalog.sqlite import SqliteCatalog
from analytics.event import Hit
from analytics.goal import Goal
from analytics.person import Scope
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import hit

SITE = "example.org"
DAY = "2021-01-01"
MIDNIGHT = 1_609_459_200_000
"""2021-01-01 00:00 UTC."""


async def _waited(_: str) -> None:
    """Find every receipt in the figures."""


@pytest.fixture
async def api(store: DuckDBStore, catalog: SqliteCatalog) -> AsyncIterator[httpx2.AsyncClient]:
    await catalog.sites.add(SITE, timezone="Etc/UTC")
    app = Starlette(routes=stats_v2.routes(store, catalog, lambda: NOW, _waited))
    _, secret = await catalog.keys.create(scopes=[Scope.STATS_READ], site=SITE)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://localhost",
        headers={"Authorization": f"Bearer {secret}"},
    ) as client:
        yield client


class World:
    """Sums of the past, and after them events, even of the same days."""

    def __init__(self, store: DuckDBStore, folder: Path, api: httpx2.AsyncClient) -> None:
        self._store = store
        self._folder = folder
        self._api = api
        self._log = Log()

    async def imported(self, **tables: Sequence[Mapping[str, object]]) -> None:
        dated = {name: [{"date": DAY, **row} for row in rows] for name, rows in tables.items()}
        await export.bring(self._store, self._folder, SITE, dated)

    async def events(self, *each: Mapping[str, Any]) -> None:
        await self._store.write(
            self._log.batch([_event(number, one) for number, one in enumerate(each, 1)])
        )

    async def ask(self, metrics: str, *dimensions: str, **more: object) -> tuple[Any, Any]:
        """Return the rows and `meta` of version 2, of that day."""
        body = {
            "site_id": SITE,
            "metrics": metrics.split(),
            "date_range": [DAY, DAY],
            "dimensions": dimensions,
            "include": {"imports": True},
            **more,
        }
        reply = await self._api.post("/api/v2/query", json=body)
        assert reply.status_code == 200, reply.text
        answer = reply.json()
        rows = [(*row["dimensions"], *row["metrics"]) for row in answer["results"]]
        return rows, answer["meta"]

    async def ask_v1(self, kind: str, **parameters: str) -> Any:
        """Return the answer of version 1, over that day and the next."""
        usual = {"period": "custom", "date": f"{DAY},2021-01-02", "with_imported": "true"}
        reply = await self._api.get(
            f"/api/v1/stats/{kind}", params={"site_id": SITE, **usual, **parameters}
        )
        assert reply.status_code == 200, reply.text
        return reply.json()


def _event(visitor: int, fields: Mapping[str, Any]) -> Hit:
    return hit(MIDNIGHT, **{"site": SITE, "hostname": SITE, "visitor": visitor, **fields})


@pytest.fixture
def world(store: DuckDBStore, tmp_path: Path, api: httpx2.AsyncClient) -> World:
    return World(store, tmp_path, api)


INCLUDED = {"imports_included": True}
OF_VISITS = "visitors visits pageviews bounce_rate visit_duration views_per_visit"


def sums(
    visitors: int = 2, visits: int = 3, pageviews: int = 6, bounces: int = 1
) -> dict[str, int]:
    """Return the sums of one row; visits last a minute each."""
    return {
        "visitors": visitors,
        "visits": visits,
        "pageviews": pageviews,
        "bounces": bounces,
        "visit_duration": 60 * visits,
    }


async def test_sums_count_only_where_they_are_asked_for(world: World) -> None:
    await world.imported(visitors=[sums()])
    await world.events({})
    assert await world.ask("visitors pageviews", include={}) == ([(1, 1)], {})
    assert await world.ask(OF_VISITS) == (
        # Of four visits two bounced, and three lasted a minute.
        [(3, 4, 7, 50, 45, 1.75)],
        INCLUDED,
    )


async def test_visitors_of_several_days_are_visitor_days(world: World) -> None:
    await world.imported(visitors=[sums(), {**sums(), "date": "2021-01-02"}])
    both = [DAY, "2021-01-02"]
    rows, meta = await world.ask("visitors", date_range=both)
    assert (rows, meta) == ([(4,)], {**INCLUDED, "visitor_days": True})
    rows, _ = await world.ask("visitors pageviews", "time:day", date_range=both)
    assert rows == [("2021-01-01", 2, 6), ("2021-01-02", 2, 6)]
    rows, _ = await world.ask("visitors", "time:month", date_range=both)
    assert rows == [("2021-01-01", 4)]


VALUES = {
    "visit:source": ("sources", "source", "DuckDuckGo", {"referrer": "duckduckgo.com"}),
    "visit:channel": ("sources", "source", "DuckDuckGo", {"referrer": "duckduckgo.com"}),
    "visit:referrer": ("sources", "referrer", "site.example/a", {"referrer": "site.example/a"}),
    "visit:utm_source": ("sources", "utm_source", "letter", {"utm_source": "letter"}),
    "visit:utm_medium": ("sources", "utm_medium", "email", {"utm_medium": "email"}),
    "visit:utm_campaign": ("sources", "utm_campaign", "may", {"utm_campaign": "may"}),
    "visit:utm_content": ("sources", "utm_content", "top", {"utm_content": "top"}),
    "visit:utm_term": ("sources", "utm_term", "shoes", {"utm_term": "shoes"}),
    "visit:country": ("locations", "country", "EE", {"country": "EE"}),
    "visit:country_name": ("locations", "country", "EE", {"country": "EE"}),
    "visit:region": ("locations", "region", "EE-37", {"region": "EE-37"}),
    "visit:region_name": ("locations", "region", "EE-37", {"region": "EE-37"}),
    "visit:city": ("locations", "city", "588409", {"city": "Tallinn"}),
    "visit:city_name": ("locations", "city", "588409", {"city": "Tallinn"}),
    "visit:device": ("devices", "device", "Mobile", {"device": "Mobile"}),
    "visit:browser": ("browsers", "browser", "Firefox", {"browser": "Firefox"}),
    "visit:browser_version": ("browsers", "browser_version", "88.0", {"browser_version": "88.0"}),
    "visit:os": ("operating_systems", "operating_system", "Mac", {"os": "Mac OS X"}),
    "visit:os_version": (
        "operating_systems",
        "operating_system_version",
        "10.15",
        {"os_version": "10.15"},
    ),
}


@pytest.mark.parametrize("dimension", VALUES)
async def test_a_breakdown_by_what_the_sums_have_adds_up_by_value(
    world: World, dimension: str
) -> None:
    table, column, value, of_event = VALUES[dimension]
    codes = {"city": "7", "country": "FR", "region": "FR-PAC"}
    other = {**sums(5, 5, 5, 0), column: codes.get(column, "Other")}
    await world.imported(**{table: [{column: value, **sums()}, other]})
    await world.events(of_event, {})
    rows, meta = await world.ask(OF_VISITS, dimension)
    assert meta == INCLUDED
    names = {"visit:country_name": "Estonia", "visit:region_name": "Harjumaa"}
    names |= {"visit:channel": "Organic Search", "visit:os": "Mac OS X"}
    names |= {"visit:city": "Tallinn", "visit:city_name": "Tallinn"}
    same = [row[1:] for row in rows if row[0] == names.get(dimension, value)]
    assert same == [(3, 4, 7, 50, 45, 1.75)], rows
    filtered, meta = await world.ask(
        "visitors", dimension, filters=[["is", dimension, [names.get(dimension, value)]]]
    )
    assert (filtered, meta) == ([(names.get(dimension, value), 3)], INCLUDED)
    total, meta = await world.ask(
        "visitors", filters=[["is_not", dimension, [names.get(dimension, value)]]]
    )
    assert (total, meta) == ([(6,)], INCLUDED)


async def test_pages_know_visits_to_them_and_entries_by_the_file_of_entry_pages(
    world: World,
) -> None:
    page = {"hostname": SITE, "visits": 4, "visitors": 3, "pageviews": 5}
    timed = {"total_time_on_page": 30, "total_time_on_page_visits": 2}
    scrolled = {"total_scroll_depth": 150, "total_scroll_depth_visits": 2}
    await world.imported(
        pages=[{"page": "/a", **page, **timed, **scrolled}],
        entry_pages=[
            {"entry_page": "/a", "visitors": 2, "entrances": 2, "bounces": 1, "pageviews": 6}
        ],
    )
    await world.events({"path": "/a"}, {"path": "/b"})
    metrics = "visitors visits pageviews bounce_rate time_on_page scroll_depth"
    rows, meta = await world.ask(metrics, "event:page")
    assert meta == INCLUDED
    # Two of three visits that began on /a bounced; two visits had 30 s, the event had none.
    assert rows == [("/a", 4, 5, 6, 67, 10, 75), ("/b", 1, 1, 1, 100, None, None)]


async def test_a_filter_by_page_leaves_rates_to_the_visits_that_are_known(world: World) -> None:
    await world.imported(
        pages=[
            {"hostname": SITE, "page": "/blog", "visits": 4, "visitors": 3, "pageviews": 5},
            {"hostname": SITE, "page": "/blog/POST/2", "visits": 1, "visitors": 1, "pageviews": 3},
        ]
    )
    await world.events({"path": "/blog"}, {"path": "/blog/post/1"}, {"path": "/about"})
    asked = "visitors visits pageviews bounce_rate"
    for condition, figures in {
        ("is", "/blog", True): (4, 5, 6, 100),
        ("is", "/BLOG", False): (4, 5, 6, 100),
        ("contains", "blog/post", True): (1, 1, 1, 100),
        ("contains", "blog/post", False): (2, 2, 4, 100),
        ("matches", "^/blog.*2$", True): (1, 1, 3, 0),
    }.items():
        op, value, exact = condition
        rows, meta = await world.ask(
            asked, filters=[[op, "event:page", [value], {"case_sensitive": exact}]]
        )
        assert (rows, meta) == ([figures], INCLUDED), condition


async def test_a_page_without_a_pageview_has_no_row(world: World) -> None:
    await world.imported(
        pages=[
            {"page": "/skipped", "visitors": 1, "pageviews": 0},
            {"page": "/seen", "visitors": 1, "pageviews": 1},
        ]
    )
    rows, _ = await world.ask("pageviews", "event:page")
    assert rows == [("/seen", 1)]


async def test_exits_and_their_rate_come_from_two_files(world: World) -> None:
    await world.imported(
        exit_pages=[{"exit_page": "/b", "exits": 3, "visitors": 2, "pageviews": 5, "bounces": 0}],
        pages=[{"page": "/b", "visitors": 2, "pageviews": 11}],
    )
    await world.events({"path": "/a"}, {"path": "/b"})
    rows, meta = await world.ask("visits exits exit_rate", "visit:exit_page")
    assert (rows, meta) == ([("/b", 4, 4, 33.33), ("/a", 1, 1, 100)], INCLUDED)


async def _goals(catalog: SqliteCatalog) -> None:
    for goal in (
        Goal(id=0, name="", event="Purchase"),
        Goal(id=0, name="", page="/test*"),
        Goal(id=0, name="", event="File Download"),
        Goal(id=0, name="", event="404"),
    ):
        await goals.add_goal(catalog, SITE, goal)


async def test_goals_are_reached_in_sums_of_pages_and_of_events(
    world: World, catalog: SqliteCatalog
) -> None:
    await _goals(catalog)
    await world.imported(
        custom_events=[
            {"name": "Purchase", "visitors": 3, "events": 5},
            {"name": "Signup", "visitors": 2, "events": 2},
        ],
        pages=[{"page": "/test/1", "visitors": 2, "pageviews": 2, "visits": 2}],
        visitors=[sums(visitors=5)],
    )
    await world.events({"path": "/test"}, {"name": "Purchase"}, {"name": "Purchase"})
    asked = "visitors events pageviews conversion_rate"
    rows, meta = await world.ask(asked, "event:goal")
    assert meta == INCLUDED
    assert rows == [("Purchase", 5, 7, 0, 62.5), ("Visit /test*", 3, 3, 3, 37.5)]
    rows, meta = await world.ask(asked, filters=[["is", "event:goal", ["Purchase"]]])
    assert (rows, meta) == ([(5, 7, 0, 62.5)], INCLUDED)
    rows, meta = await world.ask(asked, filters=[["contains", "event:goal", ["Visit"]]])
    assert (rows, meta) == ([(3, 3, 3, 37.5)], INCLUDED)
    # An event and a page are in two files.
    rows, meta = await world.ask(
        "visitors", filters=[["is", "event:goal", ["Purchase", "Visit /test*"]]]
    )
    assert (rows, meta["imports_skip_reason"]) == ([(3,)], "unsupported_query")


@pytest.mark.parametrize(
    ("goal", "name", "column"), [("File Download", "url", "link_url"), ("404", "path", "path")]
)
async def test_the_properties_that_sums_know_are_those_of_certain_events(
    world: World, catalog: SqliteCatalog, goal: str, name: str, column: str
) -> None:
    await _goals(catalog)
    await world.imported(
        custom_events=[
            {"name": goal, "visitors": 2, "events": 5, column: "/one"},
            {"name": goal, "visitors": 5, "events": 10, column: "/two"},
            {"name": "other", "visitors": 5, "events": 10, column: ""},
        ],
        visitors=[sums(visitors=9)],
    )
    await world.events({"name": goal, "props": {name: "/one"}})
    of_goal = ["is", "event:goal", [goal]]
    rows, meta = await world.ask(
        "visitors events conversion_rate", f"event:props:{name}", filters=[of_goal]
    )
    assert (rows, meta) == ([("/two", 5, 10, 50), ("/one", 3, 6, 30)], INCLUDED)
    rows, meta = await world.ask(
        "events", filters=[of_goal, ["is", f"event:props:{name}", ["/one"]]]
    )
    assert (rows, meta) == ([(6,)], INCLUDED)
    for skipped in (
        world.ask("events", f"event:props:{name}"),
        world.ask("events", "event:props:search_query", filters=[of_goal]),
        world.ask("visits", filters=[of_goal]),
    ):
        _, meta = await skipped
        assert meta["imports_skip_reason"] == "unsupported_query"


async def test_shares_are_of_everybody(world: World) -> None:
    await world.imported(
        devices=[{"device": "Mobile", **sums(visitors=3)}], visitors=[sums(visitors=9)]
    )
    await world.events({"device": "Desktop"})
    rows, meta = await world.ask("visitors percentage", "visit:device")
    assert (rows, meta) == ([("Mobile", 3, 30), ("Desktop", 1, 10)], INCLUDED)


async def test_what_sums_cannot_answer_is_answered_from_events_and_says_why(world: World) -> None:
    assert (await world.ask("visitors"))[1] == {
        "imports_included": False,
        "imports_skip_reason": "no_imported_data",
    }
    await world.imported(
        sources=[{"source": "Google", **sums()}], devices=[{"device": "Desktop", **sums()}]
    )
    await world.events({"referrer": "google.com", "device": "Desktop"})
    desktop = ["is", "visit:device", ["Desktop"]]
    google = ["is", "visit:source", ["Google"]]
    for asked in (
        world.ask("visitors", "visit:source", filters=[desktop]),
        world.ask("visitors", filters=[desktop, google]),
        world.ask("visitors", filters=[["or", [desktop, google]]]),
        world.ask("visitors", "visit:source", "visit:device"),
        world.ask("visitors", "event:title"),
        world.ask("visitors", "visit:language"),
        world.ask("visitors", filters=[["has_done", desktop]]),
        world.ask("visitors", filters=[["sequence", [desktop]]]),
        world.ask("visitors total_revenue"),
        world.ask("exits", "event:page"),
    ):
        rows, meta = await asked
        assert rows[0][-1] in (1, None)
        assert (meta["imports_included"], meta["imports_skip_reason"]) == (
            False,
            "unsupported_query",
        )
        assert "Imported figures are left out" in meta["imports_warning"]
    rows, meta = await world.ask("visitors", "time:hour")
    assert rows == [("2021-01-01 00:00:00", 1)]
    assert meta["imports_skip_reason"] == "unsupported_interval"
    assert "by the hour" in meta["imports_warning"]
    _, meta = await world.ask("visitors", "event:title", date_range=["2022-01-01", "2022-01-31"])
    assert meta == {"imports_included": False, "imports_skip_reason": "out_of_range"}


async def test_filters_by_several_dimensions_of_one_file_hold_together(world: World) -> None:
    await world.imported(
        sources=[
            {"source": "Google", "utm_medium": "organic", "utm_term": "one", **sums(1, 1, 1)},
            {"source": "Twitter", "utm_medium": "organic", "utm_term": "two", **sums(1, 1, 1)},
            {"source": "Facebook", "utm_medium": "other", "utm_term": "one", **sums(1, 1, 1)},
        ]
    )
    filters = [["is", "visit:utm_medium", ["organic"]], ["is", "visit:utm_term", ["one"]]]
    rows, meta = await world.ask("visitors", "visit:source", filters=filters)
    assert (rows, meta) == ([("Google", 1)], INCLUDED)


async def test_all_time_begins_with_the_first_sum(world: World) -> None:
    await world.imported(visitors=[sums(), {**sums(), "date": "2020-06-01"}])
    await world.events({})
    rows, _ = await world.ask("visitors", date_range="all")
    assert rows == [(5,)]
    rows, _ = await world.ask("visitors", date_range="all", include={})
    assert rows == [(1,)]


async def test_a_limit_chooses_among_rows_of_both(world: World) -> None:
    pages = [{"page": f"/{n}", "pageviews": 1, "visitors": 1} for n in range(1, 101)]
    await world.imported(pages=pages)
    await world.events({"path": "/99"})
    include = {"imports": True, "total_rows": True}
    rows, meta = await world.ask(
        "pageviews", "event:page", pagination={"limit": 1}, include=include
    )
    assert (rows, meta["total_rows"]) == ([("/99", 2)], 100)


async def test_a_comparison_includes_them_too(world: World) -> None:
    await world.imported(visitors=[sums(), {**sums(), "date": "2021-01-03"}])
    reply = await world.ask(
        "visitors",
        date_range=["2021-01-03", "2021-01-04"],
        include={"imports": True, "comparisons": {"mode": "previous_period"}},
    )
    assert reply == ([(2,)], {**INCLUDED, "visitor_days": True})


async def test_version_1_includes_them_by_its_own_parameter(world: World) -> None:
    await world.imported(visitors=[sums()], pages=[{"page": "/a", "visitors": 1, "pageviews": 4}])
    await world.events({})
    answer = await world.ask_v1("aggregate", metrics="visitors,pageviews")
    assert answer == {
        "results": {"visitors": {"value": 3}, "pageviews": {"value": 7}},
        "meta": INCLUDED,
    }
    answer = await world.ask_v1("aggregate", metrics="visitors", with_imported="false")
    assert answer == {"results": {"visitors": {"value": 1}}}
    answer = await world.ask_v1("timeseries", metrics="pageviews")
    assert answer["results"] == [
        {"date": "2021-01-01", "pageviews": 7},
        {"date": "2021-01-02", "pageviews": 0},
    ]
    answer = await world.ask_v1("breakdown", property="event:page", metrics="pageviews")
    assert answer["results"] == [{"page": "/a", "pageviews": 4}, {"page": "/", "pageviews": 1}]
    answer = await world.ask_v1("timeseries", interval="hour")
    assert answer["meta"]["imports_skip_reason"] == "unsupported_interval"
    assert answer["warning"] == answer["meta"]["imports_warning"]
    answer = await world.ask_v1("aggregate", period="all", date="today", metrics="visitors")
    assert answer["results"] == {"visitors": {"value": 3}}
