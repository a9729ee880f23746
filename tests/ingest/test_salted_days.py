"""A visitor without a cookie is counted at 00:00 UTC too, whoever is away, and on the same salt."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.catalog.shelf import Shelf, ShelfDocument
from tests.ingest.world import DAY_MS, NOW, SITE, ingesting, visitor

from analytics.catalog.base import SaltMissing
from analytics.catalog.shared import SharedCatalog
from analytics.errors import StoreUnavailable
from analytics.event import Hit
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import open_places
from analytics.ingest.salted_days import salts_needed
from analytics.ingest.wire.base import RawEvent
from analytics.person import Scope

TODAY = NOW // DAY_MS
EVENT = RawEvent(domains=(SITE,), url=f"https://{SITE}/")
WITH_COOKIE = RawEvent(domains=(SITE,), url=f"https://{SITE}/", vid="ada")


class Cluster:
    """Two replicas' ways from an event to a record, over one shared catalog, and the time."""

    def __init__(self, shelf: Shelf, catalogs: list[SharedCatalog]) -> None:
        self.now = NOW
        self.shelf = shelf
        self.catalogs = catalogs
        self.enrichers = [
            Enricher(
                sites=catalog.sites,
                keys=catalog.keys,
                salts=catalog.salts,
                places=open_places(None),
                clock=lambda: self.now,
            )
            for catalog in catalogs
        ]

    async def keep_in_order(self) -> None:
        """Do what the upkeep of each replica does now and then."""
        today = self.now // DAY_MS
        for catalog in self.catalogs:
            await catalog.salts.make(salts_needed(today), today=today)

    def midnight(self, days: int = 1) -> None:
        self.now = (NOW // DAY_MS + days) * DAY_MS

    def visitors(self) -> list[int]:
        """Who the same person without a cookie is, for each replica, now."""
        found = []
        for enricher in self.enrichers:
            (hit,) = enricher.accept(EVENT, visitor())
            assert isinstance(hit, Hit)
            found.append(hit.visitor)
        return found


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    shelf = Shelf()
    async with AsyncExitStack() as stack:
        catalogs = [
            await stack.enter_async_context(
                SharedCatalog(
                    ShelfDocument(shelf),
                    tmp_path / f"{number}",
                    salts=ShelfDocument(shelf, "salts"),
                    first_s=0,
                )
            )
            for number in range(2)
        ]
        await catalogs[0].sites.add(SITE, timezone="Etc/UTC")
        await catalogs[1].people.all()  # which looks for the newest
        yield Cluster(shelf, catalogs)


async def test_a_new_day_begins_without_whoever_keeps_the_catalog(cluster: Cluster) -> None:
    await cluster.keep_in_order()
    before = cluster.visitors()
    assert len({*before}) == 1
    cluster.shelf.away = True
    seen = {before[0]}
    for days in (1, 2):
        cluster.midnight(days)
        one, other = cluster.visitors()
        assert one == other, "replicas agree"
        seen.add(one)
    assert len(seen) == 3, "and each day has a salt of its own"


async def test_no_event_waits_for_whoever_keeps_the_catalog(cluster: Cluster) -> None:
    await cluster.keep_in_order()
    cluster.shelf.asked_by.clear()
    for days in range(3):
        cluster.midnight(days)
        cluster.visitors()
    assert threading.current_thread().name not in cluster.shelf.asked_by


async def test_where_nobody_could_make_a_days_salt_no_replica_makes_up_one(
    cluster: Cluster,
) -> None:
    """Two would make up two, and a visitor of both would count twice: the sender keeps the hit."""
    await cluster.keep_in_order()
    cluster.shelf.away = True
    cluster.midnight(3)
    for enricher in cluster.enrichers:
        with pytest.raises(StoreUnavailable):
            await enricher.accept_any_day(EVENT, visitor())
        (hit,) = enricher.accept(WITH_COOKIE, visitor())
        assert isinstance(hit, Hit)
    cluster.shelf.away = False
    await asyncio.sleep(1.1)  # a failure is remembered for a moment
    one, other = [await each.accept_any_day(EVENT, visitor()) for each in cluster.enrichers]
    assert isinstance(one[0], Hit)
    assert isinstance(other[0], Hit)
    assert one[0].visitor == other[0].visitor


async def test_many_events_at_once_ask_for_a_missing_salt_once(cluster: Cluster) -> None:
    enricher = cluster.enrichers[0]
    assert "salts" not in cluster.shelf.documents
    made = await asyncio.gather(*(enricher.accept_any_day(EVENT, visitor()) for _ in range(50)))
    assert len({hit.visitor for (hit,) in made if isinstance(hit, Hit)}) == 1
    assert cluster.shelf.documents["salts"][0] == 1, "one change"


async def test_events_of_however_many_past_days_make_no_salt(cluster: Cluster) -> None:
    enricher, (catalog, _) = cluster.enrichers[0], cluster.catalogs
    key, _secret = await catalog.keys.create(scopes=[Scope.EVENTS_WRITE], site=None)
    await cluster.keep_in_order()
    revision = cluster.shelf.documents["salts"][0]
    visitors = set()
    for day in range(TODAY - 365, TODAY + 1):
        sent = RawEvent(domains=(SITE,), url=f"https://{SITE}/", ts=day * DAY_MS)
        (hit,) = await enricher.accept_any_day(sent, visitor(), key)
        assert isinstance(hit, Hit)
        visitors.add(hit.visitor)
    assert len(visitors) == 366, "a visitor of two days is two"
    assert cluster.shelf.documents["salts"][0] == revision


async def test_who_a_visitor_of_a_past_day_was_nobody_can_tell_three_days_later(
    cluster: Cluster,
) -> None:
    (catalog, _), yesteryear = cluster.catalogs, (TODAY - 365) * DAY_MS
    key, _secret = await catalog.keys.create(scopes=[Scope.EVENTS_WRITE], site=None)
    sent = RawEvent(domains=(SITE,), url=f"https://{SITE}/", ts=yesteryear)
    visitors = []
    for days in range(4):
        cluster.now = NOW + days * DAY_MS
        await cluster.keep_in_order()
        for enricher in cluster.enrichers:
            (hit,) = await enricher.accept_any_day(sent, visitor(), key)
            assert isinstance(hit, Hit)
            visitors.append(hit.visitor)
    assert len({*visitors[:6]}) == 1, "for as long as an import may take, and on every replica"
    assert len({*visitors[6:]}) == 1
    assert visitors[5] != visitors[6]


@pytest.mark.parametrize("path", ["/api/event", "/api/events", "/pixel.gif"])
async def test_a_day_without_a_salt_is_given_one_wherever_its_event_arrives(
    path: str, tmp_path: Path
) -> None:
    """As after a laptop has slept for days, and the hit comes before the upkeep."""
    async with ingesting(tmp_path) as world:
        world.now += 10 * DAY_MS
        with pytest.raises(SaltMissing):
            world.accepted(EVENT)
        event = {"n": "pageview", "u": EVENT.url, "d": SITE}
        for _ in range(2):
            if path == "/pixel.gif":
                query = f"u={EVENT.url}&d={SITE}"
                answer = await world.ask("GET", path, query=query, user_agent="Mozilla/5.0")
            else:
                answer = await world.post(event, path=path, user_agent="Mozilla/5.0")
            assert answer.status in (200, 202)
        one, other = await world.records()
        assert isinstance(one, Hit)
        assert isinstance(other, Hit)
        assert one.visitor == other.visitor
