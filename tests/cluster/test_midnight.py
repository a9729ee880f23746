"""Midnight while no real server lets the catalog be changed: visitors are counted all the same."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.catalog.shelf import Shelf
from tests.ingest.test_salted_days import EVENT, WITH_COOKIE, Cluster
from tests.ingest.world import DAY_MS, SITE, visitor
from tests.real import PATIENCE_S, kill, machine_in, settings_of

from analytics.catalog.shared import SharedCatalog
from analytics.errors import StoreUnavailable
from analytics.event import Hit
from analytics.ingest.enricher import Enricher
from analytics.ingest.salted_days import salts_needed
from analytics.store.ignite.documents import SharedDocument

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]


async def test_days_begin_while_cassandra_and_then_ignite_are_away(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        await machine.up(only=("cassandra", "ignite"))
        ignite = settings_of(machine).ignite
        async with AsyncExitStack() as stack:
            catalogs = [
                await stack.enter_async_context(
                    SharedCatalog(
                        SharedDocument(ignite, "midnight"),
                        tmp_path / f"{number}",
                        salts=SharedDocument(ignite, "midnight-salts"),
                    )
                )
                for number in range(2)
            ]
            await catalogs[0].sites.add(SITE, timezone="Etc/UTC")
            await catalogs[1].people.all()  # which looks for the newest
            cluster = Cluster(Shelf(), catalogs)
            await cluster.keep_in_order()
            seen = [cluster.visitors()]

            kill(machine, "cassandra")
            await nothing_can_be_changed(catalogs[0])
            cluster.midnight(1)
            seen.append(cluster.visitors())

            kill(machine, "ignite-1")
            cluster.midnight(2)
            seen.append(cluster.visitors())
            assert all(one == other for one, other in seen), "replicas agree"
            assert len({one for one, _ in seen}) == 3, "and each day has a salt of its own"

            cluster.midnight(3)  # for which nobody could make one
            for enricher in cluster.enrichers:
                with pytest.raises(StoreUnavailable):
                    await enricher.accept_any_day(EVENT, visitor())
                (hit,) = enricher.accept(WITH_COOKIE, visitor())
                assert isinstance(hit, Hit)

            await machine.up(only=("cassandra", "ignite"))
            today = cluster.now // DAY_MS
            async with asyncio.timeout(PATIENCE_S):
                for catalog in catalogs:
                    await made(catalog, today)
            one, other = [await accepted(each) for each in cluster.enrichers]
            assert one == other
            assert one not in {before for before, _ in seen}
    finally:
        machine.down()


async def nothing_can_be_changed(catalog: SharedCatalog) -> None:
    """Return when the servers refuse a change, as they do without Cassandra."""
    async with asyncio.timeout(PATIENCE_S):
        for number in range(1_000):
            try:
                await catalog.sites.add(f"site-{number}.example", timezone="Etc/UTC")
            except StoreUnavailable:
                return


async def made(catalog: SharedCatalog, today: int) -> None:
    """Return when the salts of the days to come are made: the servers may not be warm yet."""
    while True:
        try:
            return await catalog.salts.make(salts_needed(today), today=today)
        except StoreUnavailable:
            await asyncio.sleep(1)


async def accepted(enricher: Enricher) -> int:
    """Who the visitor without a cookie is."""
    (hit,) = await enricher.accept_any_day(EVENT, visitor())
    assert isinstance(hit, Hit)
    return hit.visitor
