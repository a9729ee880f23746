"""What is deleted is gone from rows and figures, and stands in the ledger."""

from __future__ import annotations

from tests.store.rows import DAY, HOUR, MINUTE, Log

from analytics import localtime
from analytics.event import Hit
from analytics.query import Dimension, Metric, Period, Query, ResultRow
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import answers

BERLIN = "Europe/Berlin"
MIDNIGHT = NOON - 13 * HOUR


def days(first: int, *, dimensions: tuple[str, ...] = (Dimension.DAY,)) -> Query:
    period = Period(MIDNIGHT + first * DAY, MIDNIGHT + DAY, BERLIN)
    metrics = (Metric.VISITORS, Metric.VISITS, Metric.VISIT_DURATION, Metric.PAGEVIEWS)
    return Query(site=SITE, metrics=metrics, period=period, dimensions=dimensions)


def visits() -> list[Hit]:
    """Three visitors over five days; the second is there over midnight."""
    made = []
    for day in range(-5, 0):
        made.append(hit(NOON + day * DAY, visitor=1))
        made.append(hit(MIDNIGHT + day * DAY - 5 * MINUTE, visitor=2, path="/late"))
        made.append(hit(MIDNIGHT + day * DAY + 5 * MINUTE, visitor=2, path="/early"))
    made.append(hit(NOON - 2 * DAY, visitor=3, site="other.example"))
    return sorted(made, key=lambda h: h.ts)


async def balanced(store: DuckDBStore) -> bool:
    ledger, stored = await store.ledger(), await store.recount()
    return all(line.stored - line.erased == stored.get(key, 0) for key, line in ledger.items())


async def test_a_visitor_who_is_erased_was_never_there(store: DuckDBStore) -> None:
    hits = visits()
    await store.write(Log().batch(hits))
    await store.build_cells(NOON)
    assert await store.erase_visitor(SITE, 2) == 10
    left = [h for h in hits if h.visitor != 2]
    for _ in range(2):  # from rows, then from cells
        assert (await store.query(days(-6))).rows == answers.answer(left, days(-6))
        await store.build_cells(NOON + HOUR)
    assert await balanced(store)
    assert await store.erase_visitor(SITE, 2) == 0


async def test_a_site_that_is_deleted_leaves_its_ledger(store: DuckDBStore) -> None:
    await store.write(Log().batch(visits()))
    await store.build_cells(NOON)
    assert await store.delete_site(SITE) == 15
    assert (await store.query(days(-6))).rows == ()
    assert await store.recount(SITE) == {}
    assert await balanced(store)
    assert sum((await store.recount()).values()) == 1


async def test_retention_ends_at_a_day_and_spares_the_figures_after_it(store: DuckDBStore) -> None:
    hits = visits()
    await store.write(Log().batch(hits))
    await store.build_cells(NOON)
    before = await store.query(days(-2))
    totals = await store.query(days(-2, dimensions=()))
    # In the middle of a day: that day is kept whole.
    assert await store.retain(SITE, NOON - 2 * DAY) > 0
    assert await store.retain(SITE, NOON - 2 * DAY) == 0
    for _ in range(2):  # cells of days that are left are still true; then they are built anew
        assert await store.query(days(-2)) == before
        assert await store.query(days(-6)) == before
        assert await store.query(days(-6, dimensions=())) == totals
        await store.write(Log().batch([hit(NOON - 2 * DAY, site=SITE, bot="crawler")]))
        await store._threads.write(lambda c: c.run("DELETE FROM cell_state"))
        await store.build_cells(NOON + HOUR)
    assert await balanced(store)
    assert await store.first_event(SITE) is not None


def test_the_days_of_these_tests_begin_at_midnight() -> None:
    assert localtime.is_day_start(BERLIN, MIDNIGHT)
    assert answers.answer(visits(), days(-6, dimensions=())) == (ResultRow((), (2, 10, 300, 15)),)
