"""The list of sites, and a new one."""

from __future__ import annotations

import re

from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW, SITE, hit

from analytics.store.catalog.sqlite import SqliteCatalog
from analytics.store.duckdb import DuckDBStore
from analytics.testing.sample import batch


async def test_each_site_shows_its_last_24_hours(owner: Client, store: DuckDBStore) -> None:
    day = 24 * 3_600_000
    hits = [
        hit(NOW - day - 1, visitor=7),
        hit(NOW - day + 1, visitor=8),
        hit(NOW - 1000, visitor=9),
    ]
    await store.write(batch(hits))
    page = (await owner.get("/")).text
    card = page[page.index(f'href="/{SITE}"') :]
    assert "<b>2</b> visitors in 24 hours" in card
    assert "1 now" in card
    line = re.search(r'<polyline points="([^"]+)"', card)
    assert line
    assert len(line[1].split()) == 24


async def test_a_viewer_lists_only_the_sites_given(viewer: Client) -> None:
    page = (await viewer.get("/")).text
    assert SITE in page
    assert "other.example" not in page
    assert "Add a site" not in page


async def test_a_wrong_domain_is_explained_and_kept(owner: Client) -> None:
    form = {"domain": "https://new.example/blog", "timezone": "Europe/Berlin"}
    answer = await owner.post("/sites/new", data=form)
    assert answer.status_code == 400
    assert "a site is a whole host" in answer.text
    assert 'value="https://new.example/blog"' in answer.text


async def test_a_domain_with_a_port_has_pages(owner: Client, peopled: SqliteCatalog) -> None:
    answer = await owner.post(
        "/sites/new", data={"domain": "localhost:3000", "timezone": "Etc/UTC"}
    )
    assert answer.headers["location"] == "/localhost%3A3000/start"
    assert (await owner.get("/localhost%3A3000/start")).status_code == 200
    assert (await owner.get("/localhost%3A3000")).status_code == 200


async def test_the_snippets_page_turns_green_with_the_first_event(
    owner: Client, store: DuckDBStore
) -> None:
    waiting = 'class="waiting"'
    assert waiting in (await owner.get(f"/{SITE}/start")).text
    await store.write(batch([hit(NOW)]))
    assert 'class="waiting seen"' in (await owner.get(f"/{SITE}/start")).text
