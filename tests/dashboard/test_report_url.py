"""A report's address holds all of its state, and nothing that is not."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.datastructures import QueryParams

from analytics.dashboard import report_url
from analytics.dashboard.filters import Condition
from analytics.dashboard.report_url import ReportUrl
from analytics.errors import Malformed
from analytics.query import Metric, Op

FULL = ReportUrl(
    site="shop.example",
    period="custom",
    start="2026-11-01",
    end="2026-11-03",
    compare=False,
    metric=Metric.BOUNCE_RATE,
    interval="hour",
    conditions=(Condition(Op.CONTAINS, "page", ("/ä?&=#,",)),),
    bots=True,
    tabs={"sources": "channel"},
    prop="plan",
)


def _read(url: str) -> ReportUrl:
    return report_url.parse("shop.example", QueryParams(urlsplit(url).query))


def test_an_address_read_from_its_own_url_is_the_same() -> None:
    assert _read(FULL.url()) == FULL


def test_a_range_whose_ends_are_in_the_other_order_is_the_same_range() -> None:
    reverse = _read("/shop.example?from=2026-11-03&to=2026-11-01")
    assert (reverse.period, reverse.start, reverse.end) == ("custom", "2026-11-01", "2026-11-03")
    for odd in (
        "from=2026-02-30&to=2026-03-01",
        "from=2026-03-01&to=2026-02-30",
        "from=&to=2026-1-1",
    ):
        with pytest.raises(Malformed):
            _read(f"/shop.example?period=custom&{odd}")


def test_what_is_usual_is_not_written() -> None:
    assert ReportUrl(site="shop.example").url() == "/shop.example"
    assert _read("/shop.example") == ReportUrl(site="shop.example")


def test_a_port_and_hostile_text_stay_inside_their_place_in_the_url() -> None:
    one = ReportUrl(site="localhost:8080").with_condition("page", '"><script>')
    assert urlsplit(one.url()).path == "/localhost%3A8080"
    assert parse_qsl(urlsplit(one.url()).query) == [("f", 'is,page,"><script>')]
    assert "<" not in one.url()


def test_a_chip_takes_only_itself_away() -> None:
    both = ReportUrl(site="a.example").with_condition("page", "/a").with_condition("os", "Linux")
    assert both.without(both.conditions[0]).conditions == (both.conditions[1],)


def test_the_first_tab_of_a_panel_needs_no_name() -> None:
    chosen = ReportUrl(site="a.example").with_tab("pages", "exit")
    assert chosen.tabs == {"pages": "exit"}
    assert chosen.with_tab("pages", "top").tabs == {}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("period=fortnight", "period"),
        ("period=custom&from=yesterday&to=2026-11-01", "from"),
        ("period=custom&from=2026-11-03", "to"),
        ("period=custom&from=0001-01-01&to=2026-11-01", "from"),
        ("period=custom&from=2026-11-01&to=9999-12-31", "to"),
        ("period=custom&from=2026-W45-1&to=2026-11-30", "from"),
        ("metric=glory", "metric"),
        ("interval=second", "interval"),
        ("sources=nowhere", "sources"),
        ("f=is", "f"),
    ],
)
def test_nonsense_is_refused_by_its_parameters_name(query: str, field: str) -> None:
    with pytest.raises(Malformed) as raised:
        report_url.parse("a.example", QueryParams(query))
    assert raised.value.field == field
