"""Revenue in one currency by the day's rate, and never a wrong sum."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.store.rows import DAY, Log

from analytics import localtime
from analytics.event import Hit
from analytics.query import (
    All,
    Compare,
    CurrencyRates,
    DailyRates,
    Dimension,
    Figure,
    Metric,
    NamedFilter,
    Op,
    Period,
    Query,
)
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import answers

ZONE = "Europe/Berlin"
TODAY = localtime.day_of(ZONE, NOON)
MIDNIGHT = localtime.day_start(ZONE, TODAY)
METRICS = (Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE)


def rates(days: dict[int, str], *, currency: str = "USD") -> DailyRates:
    """What one euro was worth on days, counted from today."""
    return DailyRates(
        tuple(TODAY + day for day in days),
        (
            CurrencyRates(currency, tuple(days.values())),
            CurrencyRates("EUR", ("1",) * len(days)),
        ),
    )


def paid(amount: str, currency: str, at: int = NOON) -> Hit:
    return hit(at, name="buy", revenue=amount, currency=currency)


def query(currency: str = "EUR", known: DailyRates | None = None) -> Query:
    period = Period(MIDNIGHT - 9 * DAY, MIDNIGHT + DAY, ZONE)
    return Query(site=SITE, metrics=METRICS, period=period, currency=currency, rates=known)


async def revenue(store: DuckDBStore, asked: Query, *hits: Hit) -> tuple[Figure, ...]:
    await store.write(Log().batch(hits))
    rows = (await store.query(asked)).rows
    assert rows == answers.answer(hits, asked)
    return rows[0].metrics


async def test_amounts_are_converted_with_the_rate_of_their_day(store: DuckDBStore) -> None:
    known = rates({-1: "2", 0: "1.25"})
    total, average = await revenue(
        store,
        query(known=known),
        paid("10", "USD", NOON - DAY),
        paid("10", "USD"),
        paid("10", "EUR"),
    )
    assert (total, average) == ("23.000 EUR", "7.667 EUR")  # 5 + 8 + 10


async def test_the_day_is_that_of_the_sites_time_zone(store: DuckDBStore) -> None:
    known = rates({-1: "2", 0: "4"})
    total, _ = await revenue(
        store, query(known=known), paid("8", "USD", MIDNIGHT - 1), paid("8", "USD", MIDNIGHT)
    )
    assert total == "6.000 EUR"


async def test_a_currency_is_reached_through_the_base(store: DuckDBStore) -> None:
    known = DailyRates((TODAY,), (CurrencyRates("USD", ("1.1",)), CurrencyRates("JPY", ("165",))))
    total, _ = await revenue(store, query("USD", known), paid("3000", "JPY"), paid("1", "USD"))
    assert total == "21.000 USD"


@pytest.mark.parametrize(("age", "total"), [(0, "5"), (1, "5"), (7, "5"), (8, None)])
async def test_a_rate_stands_in_for_seven_days_and_then_there_is_none(
    store: DuckDBStore, age: int, total: str | None
) -> None:
    shown, _ = await revenue(
        store, query(known=rates({-age: "2"})), paid("8", "USD"), paid("1", "EUR")
    )
    assert shown == (None if total is None else f"{total}.000 EUR")


async def test_a_rate_is_not_that_of_a_later_day(store: DuckDBStore) -> None:
    known = rates({0: "2"})
    shown, _ = await revenue(
        store, query(known=known), paid("8", "USD", NOON - DAY), paid("1", "EUR", NOON - DAY)
    )
    assert shown is None


async def test_without_any_rate_what_is_in_one_currency_stays_in_it(store: DuckDBStore) -> None:
    assert (await revenue(store, query(known=rates({-30: "2"})), paid("8", "USD")))[
        0
    ] == "8.000 USD"


async def test_one_amount_without_a_rate_leaves_no_sum(store: DuckDBStore) -> None:
    known = rates({0: "2"})
    assert await revenue(store, query(known=known), paid("8", "USD"), paid("8", "GBP")) == (
        None,
        None,
    )


async def test_a_refund_takes_away_what_the_purchase_brought(store: DuckDBStore) -> None:
    known = rates({0: "1.6"})  # 0.001 / 1.6 = 0.000625, to thousandths 0.001
    amounts = ("0.001", "-0.001", "0.0008", "-0.0008")
    hits = [paid(amount, "USD") for amount in amounts[:2]]
    assert (await revenue(store, query(known=known), *hits))[0] == "0.000 EUR"


async def test_large_amounts_and_rates_have_exact_sums(store: DuckDBStore) -> None:
    known = DailyRates(
        (TODAY,),
        (CurrencyRates("USD", ("0.00000001",)), CurrencyRates("JPY", ("999.99999999",))),
    )
    amounts = ("99999999999999.999", "0.001")
    total, _ = await revenue(store, query("JPY", known), *(paid(each, "USD") for each in amounts))
    assert total == "9999999999900000000000000.000 JPY"


async def test_each_goal_has_its_own_currency(store: DuckDBStore) -> None:
    bought = Compare(Op.IS, Dimension.NAME, ("buy",))
    goals = (
        NamedFilter("in dollars", All((bought,)), "USD"),
        NamedFilter("in euros", All((bought,)), "EUR"),
        NamedFilter("as sent", All((bought,))),
    )
    asked = structs.replace(query("", rates({0: "2"})), dimensions=(Dimension.GOAL,), goals=goals)
    hits = [paid("10", "USD"), paid("10", "EUR")]
    await store.write(Log().batch(hits))
    rows = (await store.query(asked)).rows
    assert rows == answers.answer(hits, asked)
    assert {row.dimensions[0]: row.metrics[0] for row in rows} == {
        "in dollars": "30.000 USD",
        "in euros": "15.000 EUR",
        "as sent": None,
    }
