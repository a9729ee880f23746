"""What looks made up is left out and counted apart, until the site's owner says otherwise."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec
import pytest
from tests.ingest.world import DAY_MS, SITE, Ingesting, visitor

from analytics.errors import Misconfigured
from analytics.event import Drop, DropReason, Hit
from analytics.ingest import hostnames
from analytics.ingest.spam import SpamReferrers
from analytics.ingest.wire.base import RawEvent
from analytics.person import Scope
from analytics.site import Shields, Site
from analytics.testing.builders import NOON


def sent(url: str, **members: object) -> RawEvent:
    return msgspec.structs.replace(RawEvent(domains=(SITE,), url=url), **members)


def reason(world: Ingesting, event: RawEvent, **more: object) -> DropReason | None:
    record = world.accepted(event, **more)
    return record.reason if isinstance(record, Drop) else None


# Hostnames


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
    assert reason(world, sent(url)) is None


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
    record = world.accepted(sent(url))
    if hostname is None:
        assert isinstance(record, Hit)
    else:
        assert isinstance(record, Drop)
        assert (record.reason, record.hostname) == (DropReason.FOREIGN_HOST, hostname)


async def test_a_hostname_counts_once_its_owner_says_yes(world: Ingesting) -> None:
    for accepted in (("shop.test",), ("*.test",), ("*",)):
        await world.site(other_hostnames=accepted)
        assert reason(world, sent("https://shop.test/")) is None
    await world.site(other_hostnames=())
    assert reason(world, sent("https://shop.test/")) is DropReason.FOREIGN_HOST


async def test_a_site_that_lists_its_hostnames_counts_those_alone(world: Ingesting) -> None:
    await world.site(shields=Shields(hostnames=("shop.test",)), other_hostnames=())
    assert reason(world, sent("https://shop.test/")) is None
    assert reason(world, sent(f"https://{SITE}/")) is DropReason.SHIELD_HOSTNAME


async def test_a_page_of_one_site_counts_for_a_site_that_sums_up_many(
    world: Ingesting,
) -> None:
    await world.catalog.sites.add("all.test", timezone="Etc/UTC")
    both = sent(f"https://{SITE}/", domains=(SITE, "all.test"))
    records = world.enricher.accept(both, visitor())
    assert [type(record) for record in records] == [Hit, Hit]
    # A name that is no site here vouches for nobody.
    stranger = sent("https://evil.test/", domains=(SITE, "evil.test"))
    first, second = world.enricher.accept(stranger, visitor())
    assert isinstance(first, Drop)
    assert first.reason is DropReason.FOREIGN_HOST
    assert isinstance(second, Drop)
    assert second.reason is DropReason.UNKNOWN_SITE


async def test_a_name_that_is_no_hostname_does_not_say_where_its_pages_are(
    world: Ingesting,
) -> None:
    await world.catalog.sites.add("intranet", timezone="Etc/UTC")
    assert reason(world, sent("https://wiki.test/", domains=("intranet",))) is None


async def test_a_site_of_before_counts_every_hostname_as_it_did(world: Ingesting) -> None:
    of_before = msgspec.json.decode(
        b'{"domain": "old.test", "id": "x", "number": 7, "shields": {}}', type=Site
    )
    assert of_before.other_hostnames == ("*",)
    added = await world.catalog.sites.add("new.test", timezone="Etc/UTC")
    assert added.other_hostnames == ()


async def test_who_imports_a_log_answers_for_its_hostnames(world: Ingesting) -> None:
    assert reason(world, sent("https://shop.test/", of_own_log=True)) is None
    spam = sent(f"https://{SITE}/", referrer="https://semalt.com/", of_own_log=True)
    assert reason(world, spam) is DropReason.SPAM_REFERRER


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


# Spam referrers


@pytest.mark.parametrize(
    "event",
    [
        {"referrer": "https://semalt.com/project"},
        {"referrer": "http://www.SEMALT.com"},
        {"referrer": "http://semalt.semalt.com/crawler.php?u=x"},
        {"referrer": "https://site1.free-share-buttons.com"},
        {"referrer": "https://news.grets.store"},
        {"url": f"https://{SITE}/?utm_source=Semalt.com"},
        {"url": f"https://{SITE}/?ref=darodar.com"},
        {"url": f"https://{SITE}/?utm_source=https://www.semalt.com/x"},
        {"url": f"https://{SITE}/?utm_source=//semalt.com"},
        {"url": f"https://{SITE}/?utm_source=semalt.com:80"},
        {"url": f"https://{SITE}/?utm_source=SEMALT.com./"},
    ],
)
async def test_a_known_spam_referrer_is_left_out_until_its_owner_counts_it(
    world: Ingesting, event: dict[str, str]
) -> None:
    spam = sent(**{"url": f"https://{SITE}/", **event})
    assert reason(world, spam) is DropReason.SPAM_REFERRER
    await world.site(count_spam_referrers=True)
    assert reason(world, spam) is None


@pytest.mark.parametrize(
    "referrer",
    ["https://notsemalt.com/", "https://semalt.com.example/", "https://example.org/semalt.com"],
)
async def test_a_name_that_looks_like_one_is_none(world: Ingesting, referrer: str) -> None:
    assert reason(world, sent(f"https://{SITE}/", referrer=referrer)) is None


def test_no_source_that_is_known_by_name_is_called_spam() -> None:
    table = files("analytics.pipeline") / "data" / "referrers.json"
    known = msgspec.json.decode(table.read_bytes())
    names = {host for text in _texts(known) for host in text.split() if "." in host}
    assert len(names) > 1000
    spam = SpamReferrers()
    assert {host for host in names if spam.has(host.partition("/")[0])} == set()


def _texts(value: object) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(text for each in value.values() for text in _texts(each))}
    if isinstance(value, list):
        return {text for each in value for text in _texts(each)}
    return {value} if isinstance(value, str) else set()


def test_a_file_of_the_owner_adds_hosts(tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("# mine\nwww.Spam.test   # a comment\n\ncom\n")
    spam = SpamReferrers(more)
    assert spam.has("x.spam.test")
    assert spam.has("semalt.com")
    assert not spam.has("anything.com"), "a name without a dot is no host"
    with pytest.raises(Misconfigured, match="nowhere"):
        SpamReferrers(tmp_path / "nowhere")


# Revenue


@pytest.mark.parametrize(
    ("amount", "currency", "ceiling", "left_out"),
    [
        ("99999999999999", "EUR", None, True),
        ("-99999999999999", "EUR", None, True),
        ("1000000.001", "EUR", None, True),
        ("1000000", "USD", None, False),
        ("20000000", "JPY", None, False),
        ("500000000000", "IRR", None, False),
        ("99999999999999", "IRR", None, True),
        ("99999999999999", "XXX", None, True),
        ("500.01", "EUR", 500, True),
        ("500", "EUR", 500, False),
        ("0", "EUR", 0, False),
        ("99999999999999", "EUR", 10**14, False),
    ],
)
async def test_revenue_above_the_ceiling_is_left_out(
    world: Ingesting, amount: str, currency: str, ceiling: int | None, left_out: bool
) -> None:
    await world.site(revenue_ceiling=ceiling)
    event = sent(f"https://{SITE}/", name="Purchase", revenue=amount, currency=currency)
    assert reason(world, event) is (DropReason.REVENUE_CEILING if left_out else None)


async def test_who_has_a_key_is_trusted_with_money(world: Ingesting) -> None:
    secret = await world.key(Scope.EVENTS_WRITE, site=SITE)
    key = world.catalog.keys.find(secret)
    event = sent(f"https://{SITE}/", name="Purchase", revenue="5000000", currency="EUR")
    assert reason(world, event, key=key) is None
    assert reason(world, event) is DropReason.REVENUE_CEILING


# Time


@pytest.mark.parametrize(
    ("age_ms", "left_out"), [(30 * DAY_MS, None), (30 * DAY_MS + 1, "before-retention")]
)
async def test_what_the_retention_would_delete_at_once_is_left_out(
    world: Ingesting, age_ms: int, left_out: str | None
) -> None:
    await world.site(retention_days=30)
    await world.salted(world.now - age_ms)
    key, _ = await world.catalog.keys.create(scopes=[Scope.EVENTS_WRITE], site=None)
    old = sent(f"https://{SITE}/", ts=world.now - age_ms)
    assert reason(world, old, key=key) == left_out
    imported = msgspec.structs.replace(old, of_own_log=True)
    assert reason(world, imported, key=key) is None, "a log is imported as a whole"


@pytest.mark.parametrize("path", ["/api/event", "/api/events"])
async def test_a_sender_is_told_that_an_event_is_older_than_the_retention(
    world: Ingesting, path: str
) -> None:
    await world.site(retention_days=1)
    old = {"n": "pageview", "u": f"https://{SITE}/", "d": SITE, "ts": world.now - DAY_MS - 1}
    answer = await world.post(old, path=path, user_agent="Mozilla/5.0")
    told = answer.headers.get("x-analytics-dropped") or answer.json["results"][0].get("dropped")
    assert told == "before-retention"
