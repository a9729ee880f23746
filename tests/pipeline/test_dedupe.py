"""The filter of ids: what it has been told of, it never calls new."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.pipeline.dedupe import ALWAYS, SeenFilter
from analytics.units import DAY_MS

NOW = 1_790_000_000_000
HOUR = 3_600_000


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(-3, 30).map(lambda h: h * HOUR)), max_size=40
    ),
    st.integers(0, 3).map(lambda days: days * DAY_MS),
)
def test_what_came_within_a_day_is_never_surely_new(
    hits: list[tuple[int, int]], vouched_from: int
) -> None:
    seen = SeenFilter(complete_since=NOW - vouched_from)
    received: dict[str, int] = {}
    now = NOW
    for number, step in hits:
        now += step
        event_id = f"id-{number}"
        new = seen.surely_new("a.org", event_id, now, now)
        assert not (new and now - received.get(event_id, ALWAYS) <= DAY_MS)
        seen.remember("a.org", event_id, now)
        received[event_id] = max(now, received.get(event_id, ALWAYS))


def test_thousands_of_ids_are_all_remembered_and_few_new_ones_are_doubted() -> None:
    seen = SeenFilter(complete_since=ALWAYS)
    count = 100_000
    for number in range(count):
        seen.remember("a.org", f"id-{number}", NOW)
    assert not any(seen.surely_new("a.org", f"id-{n}", NOW, NOW) for n in range(0, count, 7))
    doubted = sum(not seen.surely_new("a.org", f"new-{n}", NOW, NOW) for n in range(20_000))
    assert doubted < 60
    assert seen.size_bytes / count < 6.1


def test_the_same_id_on_another_site_is_new() -> None:
    seen = SeenFilter(complete_since=ALWAYS)
    seen.remember("a.org", "id", NOW)
    assert seen.surely_new("b.org", "id", NOW, NOW)


def test_memory_does_not_grow_with_the_days() -> None:
    seen = SeenFilter(complete_since=ALWAYS)
    sizes = []
    for day in range(5):
        for number in range(40_000):
            seen.remember("a.org", f"{day}-{number}", NOW + day * DAY_MS + number)
        sizes.append(seen.size_bytes)
    assert sizes[4] <= sizes[1] * 1.1


def test_a_hit_of_more_than_a_day_ago_is_always_looked_up() -> None:
    seen = SeenFilter(complete_since=ALWAYS)
    assert seen.surely_new("a.org", "id", NOW - DAY_MS, NOW)
    assert not seen.surely_new("a.org", "id", NOW - DAY_MS - 1, NOW)


def test_after_a_restart_it_vouches_for_nothing_until_a_day_is_fed() -> None:
    seen = SeenFilter(complete_since=NOW + 1)
    assert not seen.surely_new("a.org", "new", NOW + HOUR, NOW + HOUR)
    seen.remember("a.org", "stored", NOW - HOUR)
    seen.vouch(NOW - DAY_MS)
    assert seen.surely_new("a.org", "new", NOW + HOUR, NOW + HOUR)
    assert not seen.surely_new("a.org", "stored", NOW + HOUR, NOW + HOUR)


def test_after_a_restart_it_vouches_by_itself_when_it_has_watched_for_a_day() -> None:
    seen = SeenFilter(complete_since=NOW + 1)
    assert not seen.surely_new("a.org", "new", NOW + DAY_MS, NOW + DAY_MS)
    assert seen.surely_new("a.org", "new", NOW + DAY_MS + 1, NOW + DAY_MS + 1)


def test_vouching_cannot_reach_back_behind_what_was_let_go() -> None:
    seen = SeenFilter(complete_since=NOW)
    for day in range(4):
        seen.remember("a.org", f"id-{day}", NOW + day * DAY_MS)
    seen.vouch(ALWAYS)
    assert not seen.surely_new("a.org", "id-0", NOW, NOW)
