"""The sessionizer by examples: when a visit begins, goes on and ends."""

from __future__ import annotations

import pytest
from tests.pipeline.visit_oracle import (
    HOUR,
    MINUTE,
    START,
    Caller,
    rows_of,
    sent,
)

from analytics.event import ENGAGEMENT


@pytest.mark.parametrize(
    ("pause", "visits"), [(30 * MINUTE - 1, 1), (30 * MINUTE, 1), (30 * MINUTE + 1, 2)]
)
def test_exactly_thirty_minutes_still_join(pause: int, visits: int) -> None:
    rows = rows_of([sent(START), sent(START + pause)])
    assert sum(row.opens for row in rows) == visits


@pytest.mark.parametrize(("early", "visits"), [(30 * MINUTE, 1), (30 * MINUTE + 1, 2)])
def test_a_late_event_before_the_start_lengthens_the_visit(early: int, visits: int) -> None:
    first, late = rows_of([sent(START), sent(START - early, received_at=START)])
    assert first.opens + late.opens == visits
    if visits == 1:
        assert (late.gap_ms, late.session_start) == (early, START)


def test_a_visit_goes_on_over_midnight() -> None:
    rows = rows_of([sent(START - MINUTE), sent(START + MINUTE, path="/next")])
    assert [row.opens for row in rows] == [1, 0]
    assert rows[1].session_start == START - MINUTE


def test_two_tabs_are_one_visit() -> None:
    times = [0, 1, 2, 3]
    rows = rows_of([sent(START + t * MINUTE, path=f"/tab{t % 2}") for t in times])
    assert {row.session for row in rows} == {rows[0].session}
    assert [row.prev_path for row in rows] == [None, "/tab0", "/tab1", "/tab0"]


def test_of_two_views_at_the_same_time_the_later_in_the_log_is_the_exit() -> None:
    rows = rows_of([sent(START, path="/a", event_id="1"), sent(START, path="/b", event_id="2")])
    assert rows[1].prev_path == "/a"


def test_a_late_view_takes_its_own_exit_away() -> None:
    hits = [
        sent(START),
        sent(START + 9, path="/end"),
        sent(START + 5, path="/late", event_id="l"),
    ]
    late = rows_of(hits)[-1]
    assert (late.prev_path, late.gap_ms) == ("/late", 0)


def test_a_machine_and_a_person_of_one_address_are_two_visits() -> None:
    rows = rows_of([sent(START), sent(START + 1, bot="spider"), sent(START + 2)])
    assert [row.opens for row in rows] == [1, 1, 0]


def test_a_ping_with_no_visit_open_opens_none() -> None:
    ping, view = rows_of([sent(START, name=ENGAGEMENT, path="/p"), sent(START + 1)])
    assert (ping.session, ping.opens, ping.session_start, ping.entry_path) == (0, 0, START, "/p")
    assert view.opens == 1


def test_a_reading_of_a_long_sitting_belongs_to_its_visit_and_lengthens_it() -> None:
    reading = sent(START + 45 * MINUTE, name=ENGAGEMENT, engaged_ms=45 * MINUTE)
    rows = rows_of([sent(START), reading, sent(START + 70 * MINUTE, path="/next")])
    assert {row.session for row in rows} == {rows[0].session}
    assert [row.gap_ms for row in rows] == [0, 45 * MINUTE, 25 * MINUTE]


@pytest.mark.parametrize("later", [31 * MINUTE, 5 * HOUR, 71 * HOUR])
@pytest.mark.parametrize("keep_ms", [0, MINUTE, 100 * HOUR])
def test_a_reading_of_a_page_that_lay_idle_belongs_to_its_visit_and_does_not_lengthen_it(
    later: int, keep_ms: int
) -> None:
    caller = Caller(keep_ms)
    reading = sent(START + later, name=ENGAGEMENT, engaged_ms=10_000)
    others = [sent(START + 90 * HOUR + n * HOUR, visitor=8, event_id=f"o{n}") for n in (0, 1, 2)]
    back = sent(START + later + MINUTE, path="/next")
    for offset, one in enumerate([sent(START), reading, back, *others]):
        caller.take([(offset, one)])
    view, ping, again, *_ = caller.rows
    assert (ping.session, ping.session_start, ping.gap_ms) == (view.session, view.ts, 0)
    assert (again.opens, again.session == view.session) == (1, False)


def test_a_reading_from_before_its_visitors_first_visit_stays_outside() -> None:
    early = sent(START - 31 * MINUTE, received_at=START, name=ENGAGEMENT)
    assert [row.session == 0 for row in rows_of([sent(START), early])] == [False, True]


def test_a_ping_keeps_a_visit_alive() -> None:
    ping_at, view_at = START + 20 * MINUTE, START + 45 * MINUTE
    rows = rows_of([sent(START), sent(ping_at, name=ENGAGEMENT), sent(view_at)])
    assert [row.gap_ms for row in rows] == [0, 20 * MINUTE, 25 * MINUTE]
    assert [row.engages for row in rows] == [0, 0, 1]


@pytest.mark.parametrize(("interactive", "engages"), [(True, 1), (False, 0)])
def test_only_an_interactive_event_alone_is_no_bounce(interactive: bool, engages: int) -> None:
    (row,) = rows_of([sent(START, name="signup", interactive=interactive)])
    assert (row.opens, row.engages) == (1, engages)


def test_a_visit_untouched_for_three_days_is_joined_no_more() -> None:
    reach = 72 * HOUR + 30 * MINUTE
    late = [
        sent(START, received_at=START + reach + extra, event_id=f"late-{extra}") for extra in (1, 2)
    ]
    assert [row.opens for row in rows_of([sent(START), *late])] == [1, 1, 0]
    in_time = sent(START, received_at=START + reach, event_id="in-time")
    assert [row.opens for row in rows_of([sent(START), in_time])] == [1, 0]


def test_a_hit_received_out_of_turn_does_not_shorten_the_reach_of_its_visit() -> None:
    reach = 72 * HOUR + 30 * MINUTE
    hits = [
        sent(START, received_at=START + HOUR, event_id="1"),
        sent(START, received_at=START, event_id="2"),
        sent(START, received_at=START + HOUR + reach, event_id="3"),
    ]
    assert [row.opens for row in rows_of(hits)] == [1, 0, 0]
