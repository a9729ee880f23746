"""Steps of the enricher by themselves."""

from __future__ import annotations

import msgspec
import pytest
from tests.ingest.world import DAY_MS, SITE, Ingesting, drop_reason, sent

from analytics.person import Scope


@pytest.mark.parametrize(
    ("age_ms", "left_out"), [(30 * DAY_MS, None), (30 * DAY_MS + 1, "before-retention")]
)
async def test_what_the_retention_would_delete_at_once_is_left_out(
    world: Ingesting, age_ms: int, left_out: str | None
) -> None:
    await world.site(retention_days=30)
    await world.salted(world.now - age_ms)
    key, _ = await world.catalog.keys.create(scopes=[Scope.EVENTS_WRITE], site=None)
    old = sent(url=f"https://{SITE}/", ts=world.now - age_ms)
    assert drop_reason(world, old, key=key) == left_out
    imported = msgspec.structs.replace(old, of_own_log=True)
    assert drop_reason(world, imported, key=key) is None, "a log is imported as a whole"


@pytest.mark.parametrize("path", ["/api/event", "/api/events"])
async def test_a_sender_is_told_that_an_event_is_older_than_the_retention(
    world: Ingesting, path: str
) -> None:
    await world.site(retention_days=1)
    old = {"n": "pageview", "u": f"https://{SITE}/", "d": SITE, "ts": world.now - DAY_MS - 1}
    answer = await world.post(old, path=path, user_agent="Mozilla/5.0")
    told = answer.headers.get("x-analytics-dropped") or answer.json["results"][0].get("dropped")
    assert told == "before-retention"
