"""Hits from hostnames that are not the site's are dropped, until its owner says otherwise."""

from __future__ import annotations

import msgspec
import pytest
from tests.ingest.world import DAY_MS, SITE, Ingesting, drop_reason, sent, visitor

from analytics.event import Drop, DropReason, Hit
from analytics.ingest import hostnames
from analytics.site import Shields, Site
from analytics.testing.builders import NOON


@pytest.mark.parametrize(
    "url",
    [
        f"https://{SITE}/",
        f"https://www.{SITE}/",
        f"https://{SITE.upper()}:8443/a",
        f"https://{SITE}./",
        f"https://shop.{SITE}/",
        f"https://a.b.{SITE}/",
        "/only/a/path",
        "http://localhost:3000/",
        "http://app.localhost/",
        "http://127.0.0.1:8000/",
        "http://[::1]/",
        "http://192.168.0.7/",
        "http://intranet/",
        "http://shop.local/",
        "http://nas.lan:8080/",
        "http://app.corp.internal/",
        "http://box.home.arpa/",
        "app://com.stranger.shop/home",
        "capacitor://localhost/",
    ],
)
async def test_a_sites_own_pages_and_those_of_no_other_count(world: Ingesting, url: str) -> None:
    assert drop_reason(world, sent(url=url)) is None


@pytest.mark.parametrize(
    ("url", "hostname"),
    [
        ("https://not-this-site.example/", "not-this-site.example"),
        (f"https://not{SITE}/", f"not{SITE}"),
        (f"https://{SITE}.evil.test/", f"{SITE}.evil.test"),
        ("https://com/", None),
        ("https://8.8.8.8/", "8.8.8.8"),
        ("https://[2a00:1450::1]/", "[2a00:1450::1]"),
        ("//WWW.Evil.test/x", "evil.test"),
        ("https://bücher.test/", "xn--bcher-kva.test"),
    ],
)
async def test_another_hostname_is_counted_apart_with_its_name(
    world: Ingesting, url: str, hostname: str | None
) -> None:
    record = world.accepted(sent(url=url))
    if hostname is None:
        assert isinstance(record, Hit)
    else:
        assert isinstance(record, Drop)
        assert (record.reason, record.hostname) == (DropReason.FOREIGN_HOST, hostname)


async def test_a_hostname_counts_once_its_owner_says_yes(world: Ingesting) -> None:
    for accepted in (("shop.test",), ("*.test",), ("*",)):
        await world.site(other_hostnames=accepted)
        assert drop_reason(world, sent(url="https://shop.test/")) is None
    await world.site(other_hostnames=())
    assert drop_reason(world, sent(url="https://shop.test/")) is DropReason.FOREIGN_HOST


async def test_a_site_that_lists_its_hostnames_counts_those_alone(world: Ingesting) -> None:
    await world.site(shields=Shields(hostnames=("shop.test",)), other_hostnames=())
    assert drop_reason(world, sent(url="https://shop.test/")) is None
    assert drop_reason(world, sent(url=f"https://{SITE}/")) is DropReason.SHIELD_HOSTNAME


async def test_a_page_of_one_site_counts_for_a_site_that_sums_up_many(
    world: Ingesting,
) -> None:
    await world.catalog.sites.add("all.test", timezone="Etc/UTC")
    both = sent(url=f"https://{SITE}/", domains=(SITE, "all.test"))
    records = world.enricher.accept(both, visitor())
    assert [type(record) for record in records] == [Hit, Hit]
    # A name that is no site here vouches for nobody.
    stranger = sent(url="https://evil.test/", domains=(SITE, "evil.test"))
    first, second = world.enricher.accept(stranger, visitor())
    assert isinstance(first, Drop)
    assert first.reason is DropReason.FOREIGN_HOST
    assert isinstance(second, Drop)
    assert second.reason is DropReason.UNKNOWN_SITE


async def test_a_name_that_is_no_hostname_does_not_say_where_its_pages_are(
    world: Ingesting,
) -> None:
    await world.catalog.sites.add("intranet", timezone="Etc/UTC")
    assert drop_reason(world, sent(url="https://wiki.test/", domains=("intranet",))) is None


async def test_a_site_of_before_counts_every_hostname_as_it_did(world: Ingesting) -> None:
    of_before = msgspec.json.decode(
        b'{"domain": "old.test", "id": "x", "number": 7, "shields": {}}', type=Site
    )
    assert of_before.other_hostnames == ("*",)
    added = await world.catalog.sites.add("new.test", timezone="Etc/UTC")
    assert added.other_hostnames == ()


async def test_who_imports_a_log_answers_for_its_hostnames(world: Ingesting) -> None:
    assert drop_reason(world, sent(url="https://shop.test/", of_own_log=True)) is None
    spam = sent(url=f"https://{SITE}/", referrer="https://semalt.com/", of_own_log=True)
    assert drop_reason(world, spam) is DropReason.SPAM_REFERRER


async def test_made_up_hostnames_do_not_fill_the_ledger() -> None:
    named = hostnames.ForeignHostnames(most=3)
    names = [named.of(SITE, f"{number}.test", NOON) for number in range(5)]
    assert names == ["0.test", "1.test", "2.test", "", ""]
    assert named.of(SITE, "1.test", NOON) == "1.test"
    assert named.of("other.test", "9.test", NOON) == "9.test"


async def test_made_up_hostnames_hide_others_for_that_day_alone() -> None:
    named = hostnames.ForeignHostnames(most=3)
    for number in range(5):
        named.of(SITE, f"{number}.test", NOON)
    midnight = (NOON // DAY_MS + 1) * DAY_MS
    assert named.of(SITE, "shop.test", midnight - 1) == ""
    names = [named.of(SITE, f"{name}.test", midnight) for name in ("shop", "0", "1", "2")]
    assert names == ["shop.test", "0.test", "1.test", ""]
    assert named.of("other.test", "9.test", midnight) == "9.test"


async def test_the_sender_is_told_why(world: Ingesting) -> None:
    answer = await world.post({"n": "pageview", "u": "https://evil.test/", "d": SITE})
    assert (answer.status, answer.headers["x-analytics-dropped"]) == (202, "foreign-host")
