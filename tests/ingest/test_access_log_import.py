"""Past requests go through the same door as those of today."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog.base import Catalog
from analytics.catalog.sqlite import SqliteCatalog
from analytics.errors import Malformed
from analytics.event import Drop, DropReason, Hit
from analytics.ingest.access_log_import import AccessLog, Copies
from analytics.ingest.client import TrustedProxies
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import open_places
from analytics.site import Shields, Site

NOW = 1_795_478_400_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def line(
    path: str = "/a", *, day: int = 17, address: str = "203.0.113.9", referrer: str = "-"
) -> bytes:
    return (
        f'{address} - - [{day}/May/2015:10:05:03 +0000] "GET {path} HTTP/1.1" 200 512 '
        f'"{referrer}" "{FIREFOX}"'
    ).encode()


@pytest.fixture
async def catalog() -> AsyncIterator[Catalog]:
    async with SqliteCatalog(":memory:") as catalog:
        await catalog.sites.add("example.com", timezone="Etc/UTC")
        yield catalog


def log_of(catalog: Catalog) -> AccessLog:
    site = catalog.sites.get("example.com")
    assert site is not None
    enricher = Enricher(
        sites=catalog.sites,
        keys=catalog.keys,
        salts=catalog.salts,
        places=open_places(None),
        clock=lambda: NOW,
    )
    return AccessLog(enricher, site, TrustedProxies(["198.51.100.0/24"]))


async def read(log: AccessLog, text: bytes) -> Hit:
    record = await log.read(text)
    assert isinstance(record, Hit)
    return record


async def test_a_page_view_of_then_is_one_of_now_with_its_own_time(catalog: Catalog) -> None:
    sent = line("/a?utm_source=mail", referrer="https://www.google.com/search?q=x")
    hit = await read(log_of(catalog), sent)
    assert (hit.name, hit.hostname, hit.path) == ("pageview", "example.com", "/a")
    assert (hit.ts, hit.received_at) == (1_431_857_103_000, NOW)
    assert (hit.utm_source, hit.referrer) == ("mail", "google.com/search")
    assert (hit.browser, hit.os, hit.device) == ("Firefox", "Linux", "Desktop")
    assert hit.bot is None


async def test_the_sites_own_pages_are_no_referrer(catalog: Catalog) -> None:
    assert (await read(log_of(catalog), line(referrer="http://www.example.com/b"))).referrer == ""


async def test_a_visitor_is_one_for_a_day_and_another_the_next(catalog: Catalog) -> None:
    log = log_of(catalog)
    first, second = await read(log, line("/a")), await read(log, line("/b"))
    next_day = await read(log, line("/a", day=18))
    assert first.visitor == second.visitor
    assert first.visitor != next_day.visitor


async def test_ids_are_the_same_at_every_reading_and_copies_have_their_own(
    catalog: Catalog,
) -> None:
    texts = [line("/a"), line("/b"), line("/a")]
    logs = log_of(catalog), log_of(catalog)
    one, two = [[(await read(log, text)).event_id for text in texts] for log in logs]
    assert one == two
    assert len({*one}) == 3


async def test_shields_hold_for_the_past_too(catalog: Catalog) -> None:
    site = catalog.sites.get("example.com")
    assert isinstance(site, Site)
    shields = Shields(addresses=("203.0.113.0/24",))
    await catalog.sites.edit(
        site.domain, lambda site: msgspec.structs.replace(site, shields=shields)
    )
    record = await log_of(catalog).read(line())
    assert isinstance(record, Drop)
    assert record.reason is DropReason.SHIELD_IP


async def test_a_log_with_names_in_place_of_addresses_is_read(catalog: Catalog) -> None:
    site = catalog.sites.get("example.com")
    assert isinstance(site, Site)
    shields = Shields(addresses=("203.0.113.0/24",))
    await catalog.sites.edit(
        site.domain, lambda site: msgspec.structs.replace(site, shields=shields)
    )
    assert (await read(log_of(catalog), line(address="crawl-7.example.net"))).country == ""


async def test_a_target_that_is_no_url_is_unreadable(catalog: Catalog) -> None:
    with pytest.raises(Malformed, match="not a valid host"):
        await log_of(catalog).read(line("http://[/"))


@pytest.mark.parametrize(
    "senders",
    [
        "203.0.113.77, 10.183.250.139",
        "203.0.113.77, 192.0.2.1",
        "10.183.250.139, 203.0.113.77",
        "fd00::7 ::ffff:203.0.113.77",
        "198.51.100.7 203.0.113.77",  # a trusted proxy's, in front of whom it speaks for
        "100.64.0.9, 169.254.1.1, 127.0.0.1, 203.0.113.77, 10.0.0.1",
    ],
)
async def test_of_several_addresses_the_first_from_outside_is_the_visitors(
    catalog: Catalog, senders: str
) -> None:
    log = log_of(catalog)
    alone = (await read(log, line(address="203.0.113.77"))).visitor
    hit = await read(log, line(address=senders))
    assert hit.visitor == alone
    assert hit.hostname == "example.com"


async def test_what_a_proxy_forwarded_is_read_behind_the_user_agent(catalog: Catalog) -> None:
    """As nginx's `main` writes it: the proxy in front, X-Forwarded-For at the end."""
    log = log_of(catalog)
    alone = await read(log, line(address="203.0.113.77"))
    for proxy in ("10.0.0.1", "198.51.100.7"):
        behind = await read(log, line(address=proxy) + b' "203.0.113.77, 10.183.250.139"')
        assert behind.visitor == alone.visitor
    direct = await read(log, line(address="203.0.113.9"))
    claimed = await read(log, line(address="203.0.113.9") + b' "203.0.113.77"')
    assert claimed.visitor == direct.visitor


async def test_inside_a_network_the_first_address_is_the_visitors(catalog: Catalog) -> None:
    log = log_of(catalog)
    alone = (await read(log, line(address="10.0.0.9"))).visitor
    assert (await read(log, line(address="10.0.0.9, 10.0.0.1"))).visitor == alone


ADDRESSES = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
SEPARATORS = st.sampled_from([" ", ",", ", ", " , ", ";", "; ", "|", "/", "\t", ":", "@", "%", "="])
WRAPPED = st.sampled_from(["{}", "[{}]", "[{}]:443", "{}:80", '"{}"', "({})", "{{{}}}", "<{}>",
                           "for={}", "c-{}.example.net", "{}.example.net", "x{}"])  # fmt: skip


def at_once(reading: Coroutine[Any, Any, Hit]) -> Hit:
    """What *reading* returns, which has nothing to wait for."""
    try:
        reading.send(None)
    except StopIteration as end:
        hit: Hit = end.value
        return hit
    raise AssertionError("it waits")


async def test_no_address_of_the_first_columns_is_stored(catalog: Catalog) -> None:
    log = log_of(catalog)
    await read(log, line("/a"))  # from here on the day has its salt

    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        columns = data.draw(st.sampled_from(["", "www.example.com ", "- ", "unknown, "]))
        for address in data.draw(st.lists(ADDRESSES, min_size=1, max_size=4)):
            columns += data.draw(WRAPPED).format(address) + data.draw(SEPARATORS)
        columns += data.draw(
            st.sampled_from([" - -", " -", "- frank", " bob -", " shop.example -"])
        )
        with suppress(Malformed):
            hit = at_once(read(log, line("/a", address="@").replace(b"@ - -", columns.encode())))
            assert hit.hostname in ("example.com", "shop.example")
            kept = msgspec.structs.replace(hit, event_id="", site="", hostname="", path="")
            assert {each for each in msgspec.structs.astuple(kept) if isinstance(each, str)} <= {
                "", "pageview", hit.country, "Desktop", "Firefox", "140.0", "Linux"
            }  # fmt: skip

    check()


def test_copies_are_counted_as_long_as_they_are_near() -> None:
    copies = Copies(remembered=4)
    assert [copies.ordinal(b"a") for _ in range(3)] == [0, 1, 2]
    copies.ordinal(b"b")
    copies.ordinal(b"c")
    assert copies.ordinal(b"a") == 3
    for text in (b"d", b"e", b"f", b"g", b"h"):
        copies.ordinal(text)
    assert copies.ordinal(b"a") == 0
