"""The partition of a record."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.event import Drop, DropReason, Hit
from analytics.sharding import SHARDS, partition_of, shard_of
from analytics.testing.builders import numbered_hit


@given(visitor=st.integers(0, 2**64 - 1), partitions=st.integers(1, SHARDS))
def test_a_visitor_has_one_partition_which_follows_from_its_shard(
    visitor: int, partitions: int
) -> None:
    one = Hit(event_id="1", site="a.example", ts=1, received_at=1, visitor=visitor)
    other = Hit(event_id="2", site="a.example", ts=9, received_at=9, visitor=visitor, path="/b")
    assert partition_of(one, partitions) == partition_of(other, partitions)
    assert partition_of(one, partitions) == shard_of("a.example", visitor) % partitions


def test_the_drops_of_a_site_lie_together() -> None:
    drops = [
        Drop(site="a.example", received_at=at, reason=DropReason.SHIELD_IP) for at in range(20)
    ]
    assert len({partition_of(drop, 8) for drop in drops}) == 1


def test_visitors_spread_over_all_partitions() -> None:
    assert {partition_of(numbered_hit(number), 8) for number in range(500)} == set(range(8))
