"""A report says which figures of other products are in it, and has a switch."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from tests.dashboard.world import berlin
from tests.imported import export

from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

Client = httpx2.AsyncClient
SUMS = {"visits": 3, "bounces": 1, "visit_duration": 60}
INCLUDED = (
    "Includes figures imported from Plausible until 20 Nov 2026: their visitors are counted once a"
    " day."
)


@pytest.fixture
async def imported(store: DuckDBStore, tmp_path: Path) -> None:
    """41 visitors of two days, and afterwards an event on the day before yesterday."""
    days = [("2026-11-19", 40), ("2026-11-20", 1)]
    visitors = [
        {"date": day, "visitors": count, "pageviews": 2 * count, **SUMS} for day, count in days
    ]
    sources = [
        {"date": "2026-11-19", "source": "Lycos", "visitors": 9, "visits": 9, "pageviews": 9}
    ]
    await export.bring(store, tmp_path, SITE, {"visitors": visitors, "sources": sources})
    await store.write(batch([hit(berlin("2026-11-22 09:00"), referrer="google.com")]))


async def _page(client: Client, query: str = "") -> str:
    reply = await client.get(f"/{SITE}{query}")
    assert reply.status_code == 200
    return reply.text


@pytest.mark.usefixtures("imported")
async def test_imported_figures_are_in_the_report_and_can_be_left_out(owner: Client) -> None:
    page = await _page(owner)
    assert INCLUDED in page
    assert f'<a href="/{SITE}?imports=off">Leave them out</a>' in page
    assert 'title="42"' in page
    assert "Lycos" in page
    page = await _page(owner, "?imports=off")
    assert "Figures imported from Plausible until 20 Nov 2026 are left out." in page
    assert f'<a href="/{SITE}">Include them</a>' in page
    assert 'title="42"' not in page
    assert "Lycos" not in page


@pytest.mark.usefixtures("imported")
async def test_a_report_says_why_they_are_left_out(owner: Client) -> None:
    page = await _page(owner, "?f=is,source,Google&f=is,device,Other")
    assert "are left out: they cannot be filtered like this." in page
    page = await _page(owner, "?period=custom&from=2026-11-19&to=2026-11-19&interval=hour")
    assert "Includes figures imported from Plausible until 20 Nov 2026, but for the curve" in page
    page = await _page(owner, "?period=custom&from=2026-11-19&to=2026-11-22&pages=title")
    assert INCLUDED in page
    assert page.count("Without imported figures.") == 1


@pytest.mark.usefixtures("imported")
async def test_days_without_imports_say_nothing_of_them(owner: Client) -> None:
    assert "imported" not in await _page(owner, "?period=custom&from=2026-11-21&to=2026-11-22")


@pytest.mark.usefixtures("imported")
async def test_a_list_has_them_and_all_time_begins_with_them(owner: Client) -> None:
    reply = await owner.get(f"/{SITE}/list/source?period=all")
    assert "Lycos" in reply.text
    assert "19 – 24 Nov 2026" in reply.text
    reply = await owner.get(f"/{SITE}/list/source?period=all&imports=off")
    assert "Lycos" not in reply.text
    assert "22 – 24 Nov 2026" in reply.text


async def test_a_site_that_has_nothing_but_its_past_shows_it(
    owner: Client, store: DuckDBStore, tmp_path: Path
) -> None:
    visitors = [{"date": "2023-02-09", "visitors": 7, "pageviews": 8, **SUMS}]
    await export.bring(store, tmp_path, SITE, {"visitors": visitors})
    page = await _page(owner)
    assert "9 Feb 2023" in page
    assert 'title="7"' in page
