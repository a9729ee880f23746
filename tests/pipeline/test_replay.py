"""Stored events that are decided again are those of a log without late events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from analytics.event import ENGAGEMENT, PAGEVIEW, Hit, Row
from analytics.pipeline.fold import fold
from analytics.pipeline.replay import replay
from analytics.pipeline.replay_figures import DayFigures
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.testing.builders import NOON, hit
from analytics.testing.oracles.events import visits_of

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SOURCES = Sources()


def stored(hits: Sequence[Hit]) -> list[Row]:
    return fold(list(enumerate(hits)), PipelineState(SOURCES), set()).rows


def decided_again(rows: Sequence[Row]) -> list[Row]:
    return [each.replayed for each in replay(rows, SOURCES)]


def at_once(hits: Sequence[Hit]) -> list[Hit]:
    """The same events, each received when it happened."""
    ordered = sorted(hits, key=lambda each: each.ts)
    return [structs.replace(each, received_at=each.ts) for each in ordered]


def test_a_page_that_came_days_late_joins_the_visit_in_which_it_was_seen() -> None:
    rows = stored(
        [
            hit(NOON, path="/first"),
            hit(NOON + 40 * MINUTE, path="/third"),
            hit(NOON + 20 * MINUTE, path="/second", received_at=NOON + 5 * DAY),
        ]
    )
    assert sum(row.opens for row in rows) == 3
    again = decided_again(rows)
    assert [(row.path, row.opens, row.entry_path) for row in again] == [
        ("/first", 1, "/first"),
        ("/second", 0, "/first"),
        ("/third", 0, "/first"),
    ]
    assert [row.received_at for row in again] == [NOON, NOON + 5 * DAY, NOON + 40 * MINUTE]


@st.composite
def hits(draw: st.DrawFn) -> list[Hit]:
    """Events of three visitors over some days, many of them late by hours or days."""
    made: list[Hit] = []
    for _ in range(draw(st.integers(0, 14))):
        ts = NOON + draw(st.integers(0, 3 * 24 * 6)) * 10 * MINUTE
        name = draw(st.sampled_from([PAGEVIEW, PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"]))
        more: dict[str, Any] = {"name": name}
        if name == ENGAGEMENT:
            more["engaged_ms"] = draw(st.integers(0, 50)) * MINUTE
        made.append(
            hit(
                ts,
                received_at=ts + draw(st.sampled_from([0, 0, HOUR, 3 * DAY, 9 * DAY])),
                visitor=draw(st.integers(1, 3)),
                path=draw(st.sampled_from(["/", "/a", "/b"])),
                referrer=draw(st.sampled_from(["", "google.com", "example.org/x"])),
                bot=draw(st.sampled_from([None, None, None, "crawler"])),
                interactive=draw(st.booleans()),
                **more,
            )
        )
    return sorted(made, key=lambda each: each.received_at)


@settings(deadline=None)
@given(hits())
def test_visits_are_those_of_the_oracle_fed_by_event_time(sent: list[Hit]) -> None:
    again = decided_again(stored(sent))
    truth = visits_of(at_once(sent))
    assert [row.event_id for row in again] == [each.hit.event_id for each in truth]
    for row, each in zip(again, truth, strict=True):
        opener = each.visit.events[0].hit if each.visit else None
        assert (row.session != 0) == (each.visit is not None)
        assert row.opens == (opener is each.hit)
        if opener is not None:
            assert (row.session_start, row.entry_path) == (opener.ts, opener.path)
    visits = {each.visit for each in truth if each.visit}
    assert sum(row.opens for row in again) == len(visits)
    assert sum(row.opens - row.engages for row in again) == sum(v.bounced for v in visits)
    assert sum(row.gap_ms for row in again) == sum(v.last - v.first for v in visits)


@settings(deadline=None)
@given(hits())
def test_it_equals_the_fold_of_a_log_in_order_and_then_changes_nothing(sent: list[Hit]) -> None:
    rows = stored(sent)
    again = decided_again(rows)
    received = {row.event_id: (row.received_at, row.log_offset) for row in rows}
    in_order = [
        structs.replace(row, received_at=received[row.event_id][0], log_offset=offset)
        for row in stored(at_once(sent))
        for offset in (received[row.event_id][1],)
    ]
    assert again == in_order
    assert not any(each.is_changed for each in replay(again, SOURCES))


def test_sources_are_those_of_todays_table_on_the_event_and_on_its_visit() -> None:
    (row,) = stored([hit(NOON, referrer="google.com/search")])
    old = structs.replace(
        row, source="Gogle", channel="Referral", entry_source="Gogle", entry_channel="Referral"
    )
    assert decided_again([old]) == [row]


def test_a_machine_has_the_name_that_the_table_has_now_and_a_person_keeps_the_browser() -> None:
    rows = stored(
        [
            hit(NOON, bot="crawler", browser="Awesome GPTBot"),
            hit(NOON, visitor=2, bot="crawler", browser="Some Unknown Thing"),
            hit(NOON, visitor=3, browser="GPTBot"),
        ]
    )
    assert [row.browser for row in decided_again(rows)] == [
        "GPTBot",
        "Some Unknown Thing",
        "GPTBot",
    ]


def test_a_visit_whose_beginning_retention_has_deleted_stays_as_it_is() -> None:
    """Else what is left of it would be counted as a visit that began later."""
    rows = stored([hit(NOON + minutes * MINUTE, path=f"/{minutes}") for minutes in (0, 20, 40)])
    late = stored([hit(NOON + 50 * MINUTE, path="/50", received_at=NOON + 9 * DAY)])
    left = rows[1:]
    again = decided_again([*left, *late])
    assert again[:2] == left
    assert (again[2].session, again[2].opens, again[2].entry_path) == (rows[0].session, 0, "/0")
    assert again[2].gap_ms == 10 * MINUTE


def test_sums_of_names_that_strangers_choose_are_bounded() -> None:
    rows = stored([hit(NOON, visitor=number, utm_source=f"s{number}") for number in range(99)])
    moved = [structs.replace(row, entry_source="old", entry_channel="Old") for row in rows]
    figures = DayFigures("Etc/UTC", most=40)
    figures.add(replay(moved, SOURCES))
    changes = {(each.dimension, each.value): each for each in figures.changes()}
    assert len(changes) <= 40
    sources = [each for (dimension, _), each in changes.items() if dimension == "visit:source"]
    assert sum(each.before or 0 for each in sources) == 99
    assert sum(each.after or 0 for each in sources) == 99


def changes_of(rows: Sequence[Row]) -> dict[tuple[str, str, str, str], tuple[Any, Any]]:
    figures = DayFigures("Etc/UTC")
    figures.add(replay(rows, SOURCES))
    return {
        (each.day, each.figure, each.dimension, each.value): (each.before, each.after)
        for each in figures.changes()
    }


def test_a_log_in_reverse_order_has_another_entry_page_afterwards() -> None:
    """It has one visit before and after, so the figures of the whole site are the same."""
    rows = stored(
        [
            hit(NOON + 20 * MINUTE, path="/b"),
            hit(NOON, path="/a", received_at=NOON + 21 * MINUTE),
        ]
    )
    assert changes_of(rows) == {
        ("2026-11-24", "visits", "visit:entry_page", "/a"): (0, 1),
        ("2026-11-24", "visits", "visit:entry_page", "/b"): (1, 0),
    }


def test_every_figure_of_visits_that_merge_over_midnight_is_compared() -> None:
    midnight = NOON + 12 * HOUR
    rows = stored(
        [
            hit(midnight - 20 * MINUTE, path="/a", country="DE", scroll_depth=10),
            hit(midnight + 20 * MINUTE, path="/a", country="FR", scroll_depth=50),
            hit(midnight + 25 * MINUTE, name=ENGAGEMENT, path="/a", engaged_ms=4 * MINUTE),
            hit(midnight, path="/b", received_at=midnight + 5 * DAY),
        ]
    )
    changes = changes_of(rows)
    first, second = "2026-11-24", "2026-11-25"
    assert changes[first, "views_per_visit", "", ""] == (1, 3)
    assert changes[second, "views_per_visit", "", ""] == (1, 0)
    assert changes[second, "visits", "", ""] == (2, 0)
    assert changes[second, "visits", "visit:entry_page", "/b"] == (1, 0)
    assert changes[second, "visits", "visit:country", "FR"] == (1, 0)
    assert changes[second, "exits", "visit:exit_page", "/b"] == (1, 0)
    assert changes[second, "visits", "event:page", "/a"] == (1, 0)
    assert changes[first, "time_on_page", "event:page", "/a"] == (None, 240)
    assert changes[first, "scroll_depth", "event:page", "/a"] == (10, 50)
