"""The list of sites, and a new one."""

from __future__ import annotations

import re
from html import unescape

from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW

from analytics.catalog.sqlite import SqliteCatalog
from analytics.event import Drop, DropReason
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
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


async def _listed(client: Client, query: str = "") -> list[str]:
    page = (await client.get(f"/{query}")).text
    return re.findall(r'class="card site-card" href="/([^"]+)"', page)


async def test_many_sites_are_paged_and_searched(owner: Client, peopled: SqliteCatalog) -> None:
    names = [f"site-{number:03}.test" for number in range(500)]
    for name in [*names, "xn--bcher-kva.example"]:
        await peopled.sites.add(name, timezone="Etc/UTC")
    seen: list[str] = []
    number, total = 1, 1
    while number <= total:
        page = (await owner.get(f"/?page={number}")).text
        rows = re.findall(r'class="card site-card" href="/([^"]+)"', page)
        assert 0 < len(rows) <= 60
        seen += rows
        (total,) = map(int, re.findall(rf"page {number} of (\d+)", page))
        number += 1
    assert sorted(seen) == sorted([*names, "xn--bcher-kva.example", SITE, "other.example"])
    assert await _listed(owner, "?search=SITE-02") == [f"site-02{n}.test" for n in range(10)]
    for search in (
        "bücher",
        "BÜCHER",
        "xn--bch",
        "%20b%C3%BCcher.example%20",
        "https://bücher.example/x",
    ):
        assert await _listed(owner, f"?search={search}") == ["xn--bcher-kva.example"], search
    page = (await owner.get("/?search=site-&page=2")).text
    assert 'value="site-"' in page
    assert "/?search=site-&amp;page=3" in page
    assert await _listed(owner, "?page=999") == rows
    nothing = (await owner.get("/?search=%3Cb%3E")).text
    assert "No site has “&lt;b&gt;” in its name" in nothing
    for wrong in ("0", "-1", "x", "1e3"):
        assert (await owner.get(f"/?page={wrong}")).status_code == 400


async def test_few_sites_need_no_search(owner: Client) -> None:
    assert 'name="search"' not in (await owner.get("/")).text


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


CURL = {"browser": "curl", "bot": "tool"}


async def test_a_machines_hit_is_told_apart_from_the_first_pageview(
    owner: Client, store: DuckDBStore
) -> None:
    await store.write(batch([hit(NOW - 2, **CURL)]))
    page = (await owner.get(f"/{SITE}/start")).text
    assert 'class="waiting machine"' in page
    assert "A bot has sent a hit (<span data-machine>curl</span>)" in page
    report = (await owner.get(f"/{SITE}?period=day")).text
    assert "1 event of machines is left out" in report
    await store.write(batch([hit(NOW - 1)], start=1))
    assert 'class="waiting seen"' in (await owner.get(f"/{SITE}/start")).text


async def test_a_page_of_this_machine_is_told_how_to_count(owner: Client) -> None:
    page = unescape((await owner.get(f"/{SITE}/start")).text)
    assert f'data-domain="{SITE}" src="http://localhost/tracker.js"' in page
    assert f'data-domain="{SITE}" data-allow-local src="http://localhost/tracker.js"' in page
    assert "an address that works on this machine only" in page
    await owner.post("/sites/new", data={"domain": "localhost:3000", "timezone": "Etc/UTC"})
    local = unescape((await owner.get("/localhost%3A3000/start")).text)
    assert 'data-domain="localhost:3000" data-allow-local src=' in local
    assert "Trying it on localhost?" not in local
    assert "on this machine only" not in local


async def test_only_the_first_run_of_an_owner_is_a_set_up(
    owner: Client, viewer: Client, store: DuckDBStore
) -> None:
    setup = 'aria-label="Setup"'
    assert setup in (await owner.get(f"/{SITE}/start")).text
    assert setup not in (await viewer.get(f"/{SITE}/start")).text
    await store.write(batch([hit(NOW)]))
    old = (await owner.get(f"/{SITE}/start")).text
    assert setup not in old
    assert "The snippet of" in old


def lost(name: str, at: int = NOW) -> Drop:
    return Drop(site=name, received_at=at, reason=DropReason.UNKNOWN_SITE)


async def test_a_misspelt_site_is_named_where_its_owner_looks(
    owner: Client, viewer: Client, store: DuckDBStore
) -> None:
    week = 7 * 24 * 3_600_000
    drops = [
        *[lost("shpo.example")] * 12,
        lost("old.example", NOW - week - 3_600_000),
        lost("other.example"),
        lost("<b>x</b>"),
        lost("Shop.Example"),
        lost(""),
        *[lost(f"junk{n}.test") for n in range(60)],
    ]
    await store.write(batch(drops))
    for path in ("/", "/admin", f"/{SITE}/start"):
        page = (await owner.get(path)).text
        assert "<b>12</b> hits in the last 7 days for <b>shpo.example</b>" in page
        assert "pages of shop.example?" in page
        assert 'href="/sites/new?domain=shpo.example"' in page
        assert page.count("which is not a site here") == 10
        for hidden in ("old.example", "<b>x</b>", "for <b>other.example", "<b></b>"):
            assert hidden not in page
    assert 'value="shpo.example"' in (await owner.get("/sites/new?domain=shpo.example")).text
    for path in ("/", f"/{SITE}/start"):
        assert "shpo.example" not in (await viewer.get(path)).text
    await owner.post("/sites/new", data={"domain": "shpo.example", "timezone": "Etc/UTC"})
    assert "for <b>shpo.example</b>" not in (await owner.get("/admin")).text


async def test_a_time_zone_is_found_by_its_city(owner: Client, peopled: SqliteCatalog) -> None:
    page = (await owner.get("/sites/new")).text
    assert '<option value="Asia/Kolkata">' in page
    assert "Asia/Calcutta" not in page
    for typed, meant in (("new york", "America/New_York"), ("ASIA/TEHRAN", "Asia/Tehran")):
        form = {"domain": f"{typed[:3].lower()}.example", "timezone": typed}
        assert (await owner.post("/sites/new", data=form)).status_code == 303
        site = peopled.sites.get(form["domain"])
        assert site is not None
        assert site.timezone == meant
    wrong = await owner.post("/sites/new", data={"domain": "x.example", "timezone": "Asia/Teheran"})
    assert "the nearest is Asia/Tehran" in unescape(wrong.text)
