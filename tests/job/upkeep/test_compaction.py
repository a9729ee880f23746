"""Which chunks become one, and which have."""

from __future__ import annotations

from typing import NamedTuple

from analytics.job.upkeep import compaction

HOUR = 3_600_000
NOW = 100 * HOUR


class Head(NamedTuple):
    chunk_id: str
    hour: int
    first_offset: int
    last_offset: int
    rows: int


def heads(*ends: int, hour: int = 0, rows: int = 10) -> list[Head]:
    return [
        Head(f"{first}-{end - 1}", hour, first, end - 1, rows)
        for first, end in zip((0, *ends), ends, strict=False)
    ]


def test_what_lies_within_another_is_obsolete() -> None:
    parts = heads(10, 20, 30)
    whole = Head("whole", 0, 0, 19, 20)
    assert compaction.obsolete([whole, *parts]) == {"0-9": "whole", "10-19": "whole"}
    larger = Head("larger", 0, 0, 29, 30)
    assert compaction.obsolete([larger, whole, *parts]) == dict.fromkeys(
        ("whole", "0-9", "10-19", "20-29"), "larger"
    )


def test_neighbours_of_past_hours_are_merged() -> None:
    given = heads(*range(10, 210, 10))
    assert compaction.groups(given, NOW) == [[each.chunk_id for each in given]]


def test_what_is_of_this_hour_is_left_alone() -> None:
    assert compaction.groups(heads(*range(10, 210, 10), hour=NOW - HOUR), NOW) == []


def test_a_few_chunks_are_not_worth_it() -> None:
    assert compaction.groups(heads(10, 20, 30), NOW) == []


def test_no_merged_chunk_is_larger_than_it_should_be() -> None:
    given = heads(*range(10, 410, 10), rows=500)
    made = compaction.groups(given, NOW)
    assert [len(ids) for ids in made] == [10, 10, 10, 10]


def test_a_gap_ends_a_group() -> None:
    given = heads(*range(10, 210, 10))
    del given[10]
    assert [len(ids) for ids in compaction.groups(given, NOW)] == [10, 9]
