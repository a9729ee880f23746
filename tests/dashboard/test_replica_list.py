"""The owner sees which replicas there are, and that the list is away when it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW

from analytics.dashboard import DashboardContext
from analytics.dashboard.replica_list import described
from analytics.errors import RegistryUnavailable
from analytics.registry.base import Listed
from analytics.testing.contracts.registry import ONE, OTHER

MINUTE = 60_000


class Book:
    """The list, as the test has it."""

    away = False
    listed: Sequence[Listed] = ()

    async def replicas(self) -> Sequence[Listed]:
        if self.away:
            raise RegistryUnavailable("<Ignite> does not answer")
        return self.listed


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def deps(deps: DashboardContext, book: Book) -> DashboardContext:
    return dataclasses.replace(deps, replicas=book.replicas)


async def test_each_replica_is_shown_as_it_says_it_is(owner: Client, book: Book) -> None:
    book.listed = [
        Listed(msgspec.structs.replace(ONE, started_at=NOW - 61 * MINUTE), NOW - 2_000),
        Listed(msgspec.structs.replace(OTHER, fault="log: <full>"), NOW - 9_000),
    ]
    text = (await owner.get("/admin")).text
    assert 'Ready</span> <span class="soft">up 1h 01m' in text
    assert "ingest, dashboard · 1.2.3 · seen 2s ago" in text
    assert "replica-2.internal:8000" in text
    assert text.count("Not ready</span>") == 1
    assert "log: &lt;full&gt;" in text
    assert "seen 9s ago" in text


async def test_a_list_that_is_away_is_said_to_be(owner: Client, book: Book) -> None:
    book.away = True
    text = (await owner.get("/admin")).text
    assert "cannot be read now" in text
    assert "&lt;Ignite&gt; does not answer" in text


async def test_an_empty_list_is_said_to_be(owner: Client) -> None:
    assert "No replica has registered yet." in (await owner.get("/admin")).text


@pytest.mark.parametrize(
    ("up_ms", "said"),
    [(-5_000, "0s"), (30_000, "30s"), (47 * 60 * MINUTE, "47h 00m"), (49 * 60 * MINUTE, "2 days")],
)
def test_how_long_it_is_up_is_told_in_days_at_last(up_ms: int, said: str) -> None:
    listed = Listed(msgspec.structs.replace(ONE, started_at=NOW - up_ms), NOW + 5_000)
    row = described(listed, NOW)
    assert (row.up, row.seen_s) == (said, 0)
