"""The ledger's page adds up, and says so when it does not."""

from __future__ import annotations

from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW, SITE, berlin, hit

from analytics.dashboard.ledger_page import add, by_day, by_hour
from analytics.event import Drop, DropReason
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.store.duckdb import DuckDBStore
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
