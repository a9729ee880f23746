"""What looks made up is listed where its owner looks, and counts once they say so."""

from __future__ import annotations

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW

from analytics.catalog.sqlite import SqliteCatalog
from analytics.event import Drop, DropReason
from analytics.site import Site
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

URL = f"/{SITE}/settings"
DAY = 86_400_000


def foreign(hostname: str, at: int = NOW) -> Drop:
    return Drop(site=SITE, received_at=at, reason=DropReason.FOREIGN_HOST, hostname=hostname)


def stored(catalog: SqliteCatalog) -> Site:
    site = catalog.sites.get(SITE)
    assert site is not None
    return site


async def test_a_hostname_is_listed_and_counts_once_its_owner_says_yes(
    owner: Client, store: DuckDBStore, peopled: SqliteCatalog
) -> None:
    old = foreign("old.test", NOW - 31 * DAY)
    await store.write(batch([foreign("shop.test"), foreign("shop.test"), foreign("b.test"), old]))
    for page in (URL, f"/{SITE}/ledger", f"/{SITE}/start"):
        text = (await owner.get(page)).text
        assert "shop.test" in text
        assert "2 hits left out" in text
        assert 'value="b.test"' in text
        assert "old.test" not in text
    answer = await owner.post(URL, data={"form": "accept-host", "hostname": "shop.test"})
    assert answer.headers["location"] == f"{URL}#made-up"
    assert stored(peopled).other_hostnames == ("shop.test",)
    after = (await owner.get(URL)).text
    assert "shop.test counts from now on" in after
    assert 'value="shop.test"' not in after
    assert 'value="b.test"' in after
    await owner.post(URL, data={"form": "accept-host", "hostname": "shop.test"})
    assert stored(peopled).other_hostnames == ("shop.test",)


@pytest.mark.parametrize("counted", [0, 1])
async def test_the_report_says_what_it_leaves_out_and_offers_to_count_it(
    owner: Client, viewer: Client, store: DuckDBStore, counted: int
) -> None:
    rows = [hit(NOW)] * counted
    await store.write(batch([foreign("shop.test"), foreign("shop.test"), foreign("b.test"), *rows]))
    text = (await owner.get(f"/{SITE}")).text
    assert f"Hits came from hostnames other than {SITE}" in text
    assert 'value="accept-host"' in text
    assert 'value="shop.test"' in text
    assert "Is the snippet in place?" not in text
    assert "shop.test" not in (await viewer.get(f"/{SITE}")).text


async def test_the_report_is_silent_where_nothing_is_left_out(
    owner: Client, store: DuckDBStore
) -> None:
    await store.write(batch([hit(NOW), foreign("old.test", NOW - 31 * DAY)]))
    assert "hostnames other than" not in (await owner.get(f"/{SITE}")).text


async def test_the_ledger_counts_foreign_hosts_as_one_reason(
    owner: Client, store: DuckDBStore
) -> None:
    await store.write(batch([foreign("shop.test"), foreign("b.test"), foreign("")]))
    text = (await owner.get(f"/{SITE}/ledger")).text
    assert "foreign-host <b>3</b>" in text
    assert "Balanced" in text


async def test_a_viewer_is_offered_nothing_to_change(viewer: Client, store: DuckDBStore) -> None:
    await store.write(batch([foreign("shop.test")]))
    text = (await viewer.get(f"/{SITE}/ledger")).text
    assert "foreign-host <b>1</b>" in text
    assert "accept-host" not in text
    answer = await viewer.post(URL, data={"form": "accept-host", "hostname": "shop.test"})
    assert answer.status_code in (403, 404)


async def test_what_counts_all_the_same_is_saved_and_taken_back(
    owner: Client, peopled: SqliteCatalog
) -> None:
    form = {
        "form": "made-up",
        "other_hostnames": "Shop.test\n*.b.test\n",
        "count_spam_referrers": "on",
        "revenue_ceiling": " 5000 ",
    }
    await owner.post(URL, data=form)
    site = stored(peopled)
    assert site.other_hostnames == ("shop.test", "*.b.test")
    assert (site.count_spam_referrers, site.revenue_ceiling) == (True, 5000)
    await owner.post(URL, data={"form": "made-up"})
    site = stored(peopled)
    assert (site.other_hostnames, site.count_spam_referrers) == ((), False)
    assert site.revenue_ceiling is None


@pytest.mark.parametrize(
    "form",
    [
        {"form": "made-up", "other_hostnames": "https://shop.test/"},
        {"form": "made-up", "revenue_ceiling": "much"},
        {"form": "made-up", "revenue_ceiling": "-1"},
        {"form": "accept-host", "hostname": "x y"},
        {"form": "accept-host"},
    ],
)
async def test_a_mistake_is_named_and_changes_nothing(
    owner: Client, peopled: SqliteCatalog, form: dict[str, str]
) -> None:
    before = stored(peopled)
    answer = await owner.post(URL, data=form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text or 'class="wrong"' in answer.text
    assert stored(peopled) == before


async def test_a_made_up_hostname_is_escaped(owner: Client, store: DuckDBStore) -> None:
    await store.write(batch([foreign("<b>x</b>.test")]))
    assert "<b>x</b>" not in (await owner.get(URL)).text
