"""The report's figures are the store's, and each row leads to the report filtered by it."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.datastructures import QueryParams
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW, berlin

from analytics.dashboard import DashboardContext
from analytics.dashboard import report_url as addresses
from analytics.dashboard.panels import PANELS
from analytics.dashboard.report import Report, report
from analytics.dashboard.report_url import ReportUrl
from analytics.event import Hit
from analytics.query import Metric
from analytics.site import Site
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch
from analytics.visitor_id import COOKIELESS

BERLIN = Site(domain=SITE, id="", number=1, timezone="Europe/Berlin")
TEN = berlin("2026-11-24 10:00")
MINUTE = 60_000

HITS: list[Hit] = [
    # Yesterday: one visitor in the morning, one in the evening.
    hit(berlin("2026-11-23 10:00"), visitor=1),
    hit(berlin("2026-11-23 20:00"), visitor=2),
    # Today: 1 looks at two pages, 2 at one, 3 signs up.
    hit(TEN, visitor=1, referrer="google.com/", country="DE"),
    hit(TEN + MINUTE, visitor=1, path="/pricing", country="DE"),
    hit(TEN + 2 * MINUTE, visitor=2, country="FR", bot=None),
    hit(NOW - MINUTE, visitor=3, path="/pricing", country="DE"),
    hit(NOW - MINUTE + 1, visitor=3, path="/pricing", name="signup", props={"plan": "team"}),
    hit(NOW - MINUTE, visitor=9, bot="crawler"),
]


@pytest.fixture
async def filled(store: DuckDBStore) -> DuckDBStore:
    await store.write(batch(sorted(HITS, key=lambda each: each.ts)))
    return store


def _address(**values: object) -> ReportUrl:
    return ReportUrl(site=SITE, period="day").but(**values)


def _card(found: Report, metric: Metric) -> tuple[str, str]:
    card = next(card for card in found.cards if card.metric is metric)
    return card.value, card.change.text if card.change else ""


def _rows(found: Report, panel: str) -> list[tuple[str, str]]:
    box = next(box for box in found.boxes if box.panel.key == panel)
    return [(row.text, row.figures[0]) for row in box.rows]


@pytest.mark.usefixtures("filled")
class TestToday:
    async def test_headlines_compare_with_yesterday_until_now(self, deps: DashboardContext) -> None:
        found = await report(deps, BERLIN, _address())
        assert _card(found, Metric.VISITORS) == ("3", "200%")
        assert _card(found, Metric.PAGEVIEWS) == ("4", "300%")
        assert _card(found, Metric.BOUNCE_RATE) == ("33%", "67 pts")
        assert _card(found, Metric.VISIT_DURATION)[0] == "20s"

    async def test_the_plot_has_the_hours(self, deps: DashboardContext) -> None:
        points = (await report(deps, BERLIN, _address(metric=Metric.PAGEVIEWS))).points
        assert len(points) == 24
        assert {point.short: point.value for point in points if point.value} == {
            "10:00": 3,
            "11:00": 1,
        }
        assert points[20].before == 1

    async def test_lists_are_sorted_and_leave_bots_and_pageviews_out(
        self, deps: DashboardContext
    ) -> None:
        found = await report(deps, BERLIN, _address())
        assert _rows(found, "sources") == [("Direct / None", "2"), ("Google", "1")]
        assert _rows(found, "pages") == [("/", "2"), ("/pricing", "2")]
        assert _rows(found, "locations") == [("DE", "2"), ("FR", "1")]
        assert _rows(found, "events") == [("signup", "1")]

    async def test_bots_count_when_asked_for(self, deps: DashboardContext) -> None:
        found = await report(deps, BERLIN, _address(bots=True))
        assert _card(found, Metric.VISITORS)[0] == "4"

    async def test_machines_have_lists_though_they_are_left_out(
        self, deps: DashboardContext, filled: DuckDBStore
    ) -> None:
        machines = [
            hit(TEN, visitor=21, bot="crawler", browser="GPTBot", path="/a"),
            hit(TEN + 1, visitor=21, bot="crawler", browser="GPTBot", path="/b"),
            hit(TEN + 2, visitor=22, bot="crawler", browser="ChatGPT-User"),
        ]
        await filled.write(batch(machines, start=100))
        lists = {
            "machine": [("GPTBot", "2"), ("ChatGPT-User", "1"), ("Unnamed", "1")],
            "operator": [("OpenAI", "3"), ("Unknown", "1")],
            "purpose": [("Training", "2"), ("Other", "1"), ("Person's question", "1")],
        }
        for tab, rows in lists.items():
            found = await report(deps, BERLIN, _address(tabs={"devices": tab}))
            assert _card(found, Metric.VISITORS)[0] == "3"
            assert _rows(found, "devices") == rows
        (box,) = [box for box in found.boxes if box.panel.key == "devices"]
        assert {row.share for row in box.rows} == {""}
        assert parse_qs(urlsplit(box.rows[0].url).query) == {
            "period": ["day"],
            "f": ["is,bot_purpose,Training"],
            "bots": ["1"],
            "devices": ["purpose"],
        }
        chosen = addresses.parse(SITE, QueryParams("period=day&f=is,bot_operator,OpenAI"))
        assert _card(await report(deps, BERLIN, chosen), Metric.PAGEVIEWS)[0] == "3"

    async def test_a_row_leads_to_the_report_filtered_by_it(self, deps: DashboardContext) -> None:
        found = await report(deps, BERLIN, _address())
        google = next(row for box in found.boxes for row in box.rows if row.text == "Google")
        assert google.url == f"/{SITE}?period=day&f=is%2Csource%2CGoogle"
        filtered = await report(deps, BERLIN, _address().with_condition("source", "Google"))
        assert _card(filtered, Metric.PAGEVIEWS)[0] == "2"

    async def test_the_blank_can_be_filtered_by_the_name_it_shows(
        self, deps: DashboardContext
    ) -> None:
        direct = _address().with_condition("source", "Direct / None")
        assert _card(await report(deps, BERLIN, direct), Metric.VISITORS)[0] == "2"

    @pytest.mark.parametrize(
        "condition", [("page", "/pricing"), ("event", "signup"), ("title", "")]
    )
    async def test_every_figure_has_an_answer_under_a_filter_of_events(
        self, deps: DashboardContext, condition: tuple[str, str]
    ) -> None:
        found = await report(deps, BERLIN, _address().with_condition(*condition))
        assert len(found.cards) == 6

    async def test_current_visitors_are_people_of_the_last_five_minutes(
        self, deps: DashboardContext
    ) -> None:
        assert (await report(deps, BERLIN, _address())).current_visitors == 1

    async def test_a_property_lists_its_values(self, deps: DashboardContext) -> None:
        found = await report(deps, BERLIN, _address(tabs={"events": "props"}, prop="plan"))
        assert _rows(found, "events") == [("team", "1")]

    async def test_without_a_period_a_new_site_shows_today(self, deps: DashboardContext) -> None:
        late = ReportUrl(site=SITE)
        assert (await report(deps, BERLIN, late)).span.title == "Last 28 days"
        other = Site(domain="other.example", id="", number=2)
        assert (await report(deps, other, ReportUrl(site="other.example"))).span.title == "Today"


@pytest.mark.usefixtures("filled")
class TestPage:
    async def test_the_table_beside_the_plot_has_every_hour(self, owner: Client) -> None:
        page = (await owner.get(f"/{SITE}?period=day")).text
        assert len(re.findall(r"<tr data-short=", page)) == 24
        assert page.count("data-unfinished") == 1

    async def test_every_tab_opens(self, owner: Client) -> None:
        for key, panel in PANELS.items():
            for tab in panel.tabs:
                page = await owner.get(f"/{SITE}?period=day&{key}={tab.key}")
                assert page.status_code == 200, tab.key

    async def test_the_filter_form_leads_to_the_address_it_means(self, owner: Client) -> None:
        form = {"period": "day", "f_name": "page", "f_op": "contains", "f_value": " /Pri "}
        answer = await owner.get(f"/{SITE}", params=form)
        assert answer.headers["location"] == f"/{SITE}?period=day&f=contains%2Cpage%2C%2FPri"
        page = (await owner.get(answer.headers["location"])).text
        assert "Remove the filter Page contains /Pri" in page


async def test_a_site_whose_events_are_all_old_shows_its_last_days(
    deps: DashboardContext, store: DuckDBStore
) -> None:
    days = ("2015-01-01", "2015-05-17", "2015-05-20")
    await store.write(batch([hit(berlin(f"{day} 10:00")) for day in days]))
    found = await report(deps, BERLIN, ReportUrl(site=SITE))
    assert (found.address.start, found.address.end) == ("2015-04-23", "2015-05-20")
    assert _card(found, Metric.PAGEVIEWS)[0] == "2"


async def test_a_site_with_old_events_that_began_to_be_counted_today_shows_today(
    deps: DashboardContext, store: DuckDBStore
) -> None:
    await store.write(batch([hit(berlin("2015-05-20 10:00")), hit(TEN)]))
    found = await report(deps, BERLIN, ReportUrl(site=SITE))
    assert found.span.title == "Today"
    assert _card(found, Metric.PAGEVIEWS)[0] == "1"


async def test_an_event_of_a_clock_that_was_never_set_spoils_no_report(
    deps: DashboardContext, owner: Client, store: DuckDBStore
) -> None:
    await store.write(batch([hit(0), hit(berlin("2015-05-20 10:00"))]))
    found = await report(deps, BERLIN, ReportUrl(site=SITE))
    assert (found.address.start, found.address.end) == ("2015-04-23", "2015-05-20")
    assert (await owner.get(f"/{SITE}")).status_code == 200


async def test_a_site_that_was_only_counted_generations_ago_shows_all_time(
    deps: DashboardContext, store: DuckDBStore
) -> None:
    await store.write(batch([hit(0)]))
    found = await report(deps, BERLIN, ReportUrl(site=SITE))
    assert found.address.period == "all"
    assert _card(found, Metric.PAGEVIEWS)[0] == "1"


async def test_nothing_is_compared_with_the_time_before_all_time(
    deps: DashboardContext, store: DuckDBStore
) -> None:
    await store.write(batch([hit(TEN)]))
    found = await report(deps, BERLIN, _address(period="all"))
    assert not found.compare
    assert _card(found, Metric.VISITORS) == ("1", "")


async def test_a_site_that_began_today_shows_today(
    deps: DashboardContext, store: DuckDBStore
) -> None:
    await store.write(batch([hit(TEN)]))
    assert (await report(deps, BERLIN, ReportUrl(site=SITE))).span.title == "Today"


async def test_the_widest_custom_range_has_an_answer(owner: Client) -> None:
    for dates in ("from=1990-01-01&to=2199-12-31", "from=2199-12-31&to=2199-12-31"):
        assert (await owner.get(f"/{SITE}?period=custom&{dates}")).status_code == 200


async def test_visitors_over_days_without_cookies_are_called_visitor_days(
    owner: Client, store: DuckDBStore
) -> None:
    at = berlin("2026-11-22 10:00")
    await store.write(batch([hit(at), hit(TEN, visitor=COOKIELESS | 1)]))
    assert "Visitor-days" not in (await owner.get(f"/{SITE}?period=7d")).text
    page = (await owner.get(f"/{SITE}?period=month")).text
    assert re.search(r"<span title=[^>]*>Visitor-days</span>", page)
    assert "Visitor-days" not in (await owner.get(f"/{SITE}?period=day")).text


@pytest.mark.usefixtures("filled")
class TestNothing:
    async def test_filters_that_match_nothing_say_so(
        self, deps: DashboardContext, owner: Client
    ) -> None:
        found = await report(deps, BERLIN, _address().with_condition("page", "/nowhere"))
        assert found.blank is not None
        assert found.blank.reason == "filters"
        page = (await owner.get(f"/{SITE}?period=day&f=is,page,/nowhere")).text
        assert "Nothing matches these filters" in page
        assert f'<a class="button" href="/{SITE}?period=day">Clear them</a>' in page
        for other in ("No custom events", "snippet", 'class="panels"', 'class="cards"'):
            assert other not in page

    async def test_an_empty_past_does_not_speak_of_the_set_up(self, owner: Client) -> None:
        past = "period=custom&from=2024-01-01&to=2024-01-31"
        page = (await owner.get(f"/{SITE}?{past}")).text
        assert "Nothing was counted in this period</h2>" in page
        for other in ("yet", "snippet", 'class="cards"'):
            assert other not in page

    async def test_what_has_nothing_before_it_is_not_called_new(
        self, deps: DashboardContext, owner: Client
    ) -> None:
        found = await report(deps, BERLIN, _address(period="7d"))
        assert found.nothing_before
        assert not found.compare
        assert {card.change for card in found.cards} == {None}
        page = (await owner.get(f"/{SITE}?period=7d")).text
        assert page.count(", no data before</span>") == len(found.cards)
        assert "the period before</span>" not in page
        assert not (await report(deps, BERLIN, _address())).nothing_before


async def test_a_new_site_is_asked_about_its_snippet(
    deps: DashboardContext, owner: Client, viewer: Client
) -> None:
    found = await report(deps, BERLIN, _address())
    assert found.blank is not None
    assert found.blank.reason == "never"
    assert "Is the snippet in place?" in (await owner.get(f"/{SITE}")).text
    assert "Is the snippet in place?" not in (await viewer.get(f"/{SITE}")).text


@pytest.mark.usefixtures("filled")
async def test_who_chooses_events_sees_how_many_there_are_beside_their_visits(
    owner: Client,
) -> None:
    plain = (await owner.get(f"/{SITE}", params={"period": "day"})).text
    assert ('id="card-pageviews"' in plain, 'id="card-events"' in plain) == (True, False)
    for chosen in ("is,event,signup", "is,props:plan,team"):
        text = (await owner.get(f"/{SITE}", params={"period": "day", "f": chosen})).text
        assert 'id="card-pageviews"' not in text
        assert re.search(r'id="card-events".{0,300}?>1</span>', text, re.DOTALL), chosen
    for metric in ("pageviews", "events"):
        for chosen in ("is,event,signup", "is,page,/pricing"):
            query = {"period": "day", "f": chosen, "metric": metric}
            assert (await owner.get(f"/{SITE}", params=query)).status_code == 200


async def test_a_click_on_a_row_of_a_property_finds_it_whatever_the_property_is_called(
    owner: Client, store: DuckDBStore
) -> None:
    names = ["a,b", "100%", "%2C", "q=1&r", "ü x", "n" * 300]
    hits = [
        hit(TEN + n, visitor=n, name="buy", props={name: f"{n}, value"})
        for n, name in enumerate(names, 1)
    ]
    await store.write(batch(hits))
    for n, name in enumerate(names, 1):
        query = {"period": "day", "events": "props", "prop": name}
        listed = (await owner.get(f"/{SITE}", params=query)).text
        (link,) = re.findall(rf'<a[^>]*href="([^"]+)"[^>]*>{n}, value</a>', listed)
        clicked = (await owner.get(unescape(link))).text
        assert re.search(r">Unique visitors<.{0,200}?>1<", clicked, re.DOTALL), name
