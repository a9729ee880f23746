"""Answers are remembered for as long as they are right, and no longer."""

from __future__ import annotations

from msgspec import structs

from analytics.exploration import Cohort, RetentionQuery, RetentionResult
from analytics.query import Metric, Period, Query, Result, ResultRow
from analytics.store.result_cache import ResultCache

SITE, OTHER = "shop.example", "other.example"
ASKED = Query(site=SITE, metrics=(Metric.VISITORS,), period=Period(0, 1, "Etc/UTC"))
OF_OTHER = structs.replace(ASKED, site=OTHER)


def result(value: float | str | None) -> Result:
    return Result(rows=(ResultRow(("a page",), (value,)),), total_rows=3, visitor_days=True)


def test_an_answer_comes_back_as_it_was() -> None:
    for value in (7, 7.5, None, "12.50", 1 << 60):
        remembered = ResultCache()
        assert remembered.answer(ASKED) is None
        remembered.keep(ASKED, result(value), remembered.state())
        assert remembered.answer(ASKED) == result(value)
        assert remembered.answer(structs.replace(ASKED, bots=True)) is None


def test_explorations_are_kept_beside_queries_in_the_same_bounds() -> None:
    remembered = ResultCache(most_bytes=4_000)
    asked = RetentionQuery(site=SITE, period=ASKED.period)
    cohorts = RetentionResult(cohorts=(Cohort("2026-07-01", (3, 1)),), cookieless=2)
    remembered.keep(ASKED, result(1), remembered.state())
    remembered.keep(asked, cohorts, remembered.state())
    assert remembered.answer(ASKED) == result(1)
    assert remembered.answer(asked) == cohorts
    assert remembered.answer(structs.replace(asked, bots=True)) is None
    remembered.changed({SITE})
    assert remembered.answer(ASKED) is remembered.answer(asked) is None
    for limit in range(100):
        period = Period(0, limit + 1, "Etc/UTC")
        remembered.keep(structs.replace(asked, period=period), cohorts, remembered.state())
        assert remembered.size <= 4_000


def test_what_is_written_in_a_site_ends_its_answers_alone() -> None:
    remembered = ResultCache()
    for asked in (ASKED, OF_OTHER):
        remembered.keep(asked, result(1), remembered.state())
    remembered.changed({OTHER})
    assert remembered.answer(ASKED) == result(1)
    assert remembered.answer(OF_OTHER) is None
    remembered.all_changed()
    assert remembered.answer(ASKED) is None


def test_an_answer_that_was_looked_for_while_something_was_written_is_not_trusted() -> None:
    remembered = ResultCache()
    for change in (lambda: remembered.changed({SITE}), remembered.all_changed):
        state = remembered.state()
        change()
        remembered.keep(ASKED, result(1), state)
        assert remembered.answer(ASKED) is None


def test_its_size_is_bounded_and_the_least_used_go_first() -> None:
    remembered = ResultCache(most_bytes=4_000)
    first = structs.replace(ASKED, limit=1)
    for limit in range(1, 1000):
        remembered.keep(structs.replace(ASKED, limit=limit), result(limit), remembered.state())
        assert remembered.answer(first) == result(1)
        assert remembered.size <= 4_000
    assert remembered.answer(structs.replace(ASKED, limit=2)) is None
    assert remembered.answer(structs.replace(ASKED, limit=999)) == result(999)


def test_a_very_long_answer_or_question_is_not_kept() -> None:
    remembered = ResultCache()
    remembered.keep(ASKED, result("x" * 200_000), remembered.state())
    long = structs.replace(ASKED, dimensions=("event:props:" + "x" * 200_000,))
    remembered.keep(long, result(1), remembered.state())
    assert remembered.answer(ASKED) is remembered.answer(long) is None
    assert remembered.size == 0
