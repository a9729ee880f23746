"""A site takes no more events a day than its owner wants, and says which were too many."""

from __future__ import annotations

from tests.ingest.world import DAY_MS, SITE, Ingesting, drop_reason, sent

from analytics.event import DropReason
from analytics.person import Key, Scope

KEY = Key(id="1", scopes=(Scope.EVENTS_WRITE,), site=None, created_at=0)


async def test_what_is_beyond_the_days_events_is_left_out_until_the_next_day(
    world: Ingesting,
) -> None:
    await world.site(events_per_day=3)
    reasons = [drop_reason(world, sent(url=f"https://{SITE}/{number}")) for number in range(5)]
    assert reasons == [None, None, None, DropReason.OVER_QUOTA, DropReason.OVER_QUOTA]
    world.now += DAY_MS
    await world.salted()
    assert drop_reason(world, sent(url=f"https://{SITE}/")) is None


async def test_what_is_left_out_for_another_reason_takes_nothing_of_it(world: Ingesting) -> None:
    await world.site(events_per_day=1, other_hostnames=())
    for _ in range(3):
        assert drop_reason(world, sent(url="https://evil.test/")) is DropReason.FOREIGN_HOST
    assert drop_reason(world, sent(url=f"https://{SITE}/")) is None


async def test_a_sender_with_a_key_is_not_limited(world: Ingesting) -> None:
    await world.site(events_per_day=1)
    for _ in range(3):
        assert world.hit(sent(url=f"https://{SITE}/"), key=KEY)
    assert drop_reason(world, sent(url=f"https://{SITE}/")) is None


async def test_a_limit_that_is_taken_away_or_raised_counts_at_once(world: Ingesting) -> None:
    await world.site(events_per_day=1)
    page = sent(url=f"https://{SITE}/")
    assert [drop_reason(world, page) for _ in range(2)] == [None, DropReason.OVER_QUOTA]
    await world.site(events_per_day=2)
    assert [drop_reason(world, page) for _ in range(2)] == [None, DropReason.OVER_QUOTA]
    await world.site(events_per_day=None)
    assert drop_reason(world, page) is None
