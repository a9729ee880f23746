"""The audit's one question: does each record lie in exactly one chunk?"""

from __future__ import annotations

import pytest

from analytics.job.upkeep.audit import OffsetRange, uncovered


@pytest.mark.parametrize(
    ("spans", "oldest", "end", "said"),
    [
        ([], 0, 0, []),
        ([(0, 4), (5, 9)], 0, 10, []),
        ([(0, 4), (5, 9)], 7, 10, []),  # Kafka has forgotten the first ones
        ([], 0, 3, ["no chunk has the records 0 to 2"]),
        ([(0, 4), (6, 9)], 0, 10, ["no chunk has the records 5 to 5"]),
        ([(0, 4)], 0, 8, ["no chunk has the records 5 to 7"]),
        ([(3, 4)], 1, 5, ["no chunk has the records 1 to 2"]),
        ([(0, 4), (4, 9)], 0, 10, ["c4 has records before 5, which another chunk has too"]),
    ],
)
def test_gaps_and_overlaps_are_named(
    spans: list[tuple[int, int]], oldest: int, end: int, said: list[str]
) -> None:
    given = [OffsetRange(first, last, f"c{first}") for first, last in spans]
    assert list(uncovered(given, oldest, end)) == said
