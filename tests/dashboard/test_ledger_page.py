"""The ledger's page adds up, and says so when it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW, berlin

from analytics.api.ledger import describe
from analytics.dashboard import DashboardContext
from analytics.dashboard.ledger_page import MEANINGS, add, by_day, by_hour
from analytics.event import Drop, DropReason
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.store.duckdb import DuckDBStore
from analytics.store.lag import Lag
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

LINE = LedgerLine(received=10, stored=6, duplicate=1, dropped={"shield-ip": 2}, dead=1)


def test_days_are_the_sites_and_newest_first() -> None:
    late, early = berlin("2026-11-23 23:00"), berlin("2026-11-24 00:00")
    ledger = {LedgerKey(SITE, late): LINE, LedgerKey(SITE, early): LINE}
    days = by_day(ledger, "Europe/Berlin")
    assert [(day.key, day.received) for day in days] == [("2026-11-24", 10), ("2026-11-23", 10)]
    assert [day.key for day in by_day(ledger, "Etc/UTC")] == ["2026-11-23"]


def test_the_hours_of_a_day_are_in_order() -> None:
    hours = [berlin(f"2026-11-24 {hour:02}:00") for hour in (15, 3)]
    ledger = {LedgerKey(SITE, hour): LINE for hour in hours}
    assert [line.name for line in by_hour(ledger, "Europe/Berlin", "2026-11-24")] == [
        "03:00",
        "15:00",
    ]


def test_a_sum_is_balanced_when_every_hit_is_accounted_for() -> None:
    assert add("", [LINE, LINE]).balanced
    assert add("", [LINE, LINE]).dropped == {"shield-ip": 4}
    assert not add("", [LINE._replace(received=11)]).balanced


async def test_the_page_shows_what_was_dropped_and_why(owner: Client, store: DuckDBStore) -> None:
    one = hit(NOW)
    drop = Drop(site=SITE, received_at=NOW, reason=DropReason.SHIELD_COUNTRY)
    await store.write(batch([one, one, drop]))
    page = (await owner.get(f"/{SITE}/ledger")).text
    assert "Balanced" in page
    assert "shield-country" in page
    day = (await owner.get(f"/{SITE}/ledger?day=2026-11-24")).text
    assert "12:00</th>" in day
    assert (await owner.get(f"/{SITE}/ledger?day=today")).status_code == 400


async def test_a_hit_that_is_missing_is_not_hidden(owner: Client, store: DuckDBStore) -> None:
    given = batch([hit(NOW)])
    lost = {key: line._replace(received=3) for key, line in given.ledger.items()}
    await store.write(given._replace(ledger=lost))
    assert "Out of balance by 2" in (await owner.get(f"/{SITE}/ledger")).text


class TestBacklog:
    """While acknowledged hits wait to be counted."""

    @pytest.fixture
    async def deps(self, deps: DashboardContext, tmp_path: Path) -> AsyncIterator[DashboardContext]:
        lag = Lag(92_000, berlin("2026-11-24 11:55"))
        async with DuckDBStore(tmp_path / "behind.duckdb", lag=lambda: lag) as behind:
            await behind.write(batch([hit(berlin("2026-06-01 12:00"))]))
            yield dataclasses.replace(deps, store=behind, lag=lambda: lag)

    async def test_nothing_is_called_balanced(self, owner: Client) -> None:
        page = (await owner.get(f"/{SITE}/ledger")).text
        assert "92,000 hits are still being counted" in page
        badge = page[page.index('class="badge') :].partition("</p>")[0]
        assert "92,000 hits wait" in badge
        assert "Balanced" not in badge

    async def test_a_report_says_so_and_keeps_its_period(self, owner: Client) -> None:
        page = (await owner.get(f"/{SITE}")).text
        assert "92,000 hits are still being counted" in page
        assert "11:55 on 24 November" in page
        assert "<span>Last 28 days</span>" in page
        assert "Is the snippet in place?" not in page

    async def test_the_list_of_sites_says_so(self, owner: Client) -> None:
        assert "92,000 hits are still being counted" in (await owner.get("/")).text


def test_the_api_calls_nothing_balanced_while_hits_wait() -> None:
    ledger = {LedgerKey(SITE, 0): LINE}
    assert describe(ledger, None)["balanced"]
    behind = describe(ledger, None, Lag(92_000, NOW))
    assert (behind["balanced"], behind["waiting"], behind["as_of"]) == (False, 92_000, NOW)


async def test_an_open_report_keeps_its_period_when_it_refreshes(
    owner: Client, store: DuckDBStore
) -> None:
    """Chosen for an empty 28 days, the period is named in the address that a refresh asks for."""
    await store.write(batch([hit(berlin("2026-06-01 12:00"))]))
    page = (await owner.get(f"/{SITE}")).text
    asked = page.partition('data-refresh="')[2].partition('"')[0]
    assert "period=custom" in asked
    assert "to=2026-06-01" in asked


async def test_every_reason_is_explained_and_a_page_explains_its_own(
    owner: Client, store: DuckDBStore
) -> None:
    assert set(MEANINGS) == set(DropReason)
    await store.write(batch([Drop(site=SITE, received_at=NOW, reason=DropReason.NOT_A_PAGE)]))
    page = (await owner.get(f"/{SITE}/ledger")).text
    assert "<li><b>not-a-page</b>: A line of an imported log that requests" in page
    assert "<b>not-ok</b>" not in page
