"""What calls itself a machine and comes from elsewhere than its operator says is unverified."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.ingest.world import FIREFOX, SITE, Ingesting, ingesting

from analytics.errors import Misconfigured
from analytics.event import Hit
from analytics.ingest.access_log_import import AccessLog
from analytics.ingest.client import TrustedProxies
from analytics.ingest.machine_ranges import MachineRanges

GOOGLE = {
    "creationTime": "2026-11-20T00:00:00.000000",
    "prefixes": [
        {"ipv6Prefix": "2001:4860:4801:10::/64"},
        {"ipv4Prefix": "192.178.4.0/27"},
        {"ipv4Prefix": "66.249.64.0/27"},
    ],
}


def ranges(folder: Path, **files: object) -> MachineRanges:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text, "utf-8")
    return MachineRanges(folder)


def test_only_an_address_that_is_published_is_believed(tmp_path: Path) -> None:
    known = ranges(tmp_path, googlebot=GOOGLE)
    for believed in ("66.249.64.0", "66.249.64.31", "192.178.4.7", "2001:4860:4801:10::1"):
        assert not known.is_unverified("Googlebot", believed)
    for elsewhere in ("66.249.64.32", "203.0.113.9", "2001:4860:4801:11::1", "::1"):
        assert known.is_unverified("Googlebot", elsewhere)


def test_nothing_is_claimed_of_machines_without_a_file(tmp_path: Path) -> None:
    known = ranges(tmp_path, googlebot=GOOGLE)
    assert not known.is_unverified("GPTBot", "203.0.113.9")
    assert not known.is_unverified("AdsBot-Google", "203.0.113.9")
    assert not known.is_unverified("", "203.0.113.9")
    assert not MachineRanges().is_unverified("Googlebot", "203.0.113.9")


def test_several_files_of_one_machine_count_together(tmp_path: Path) -> None:
    more = {"prefixes": [{"ipv4Prefix": "198.51.100.0/24"}]}
    known = ranges(tmp_path, googlebot=GOOGLE, google=more)
    assert not known.is_unverified("Googlebot", "198.51.100.7")
    assert not known.is_unverified("Googlebot", "66.249.64.1")
    assert known.is_unverified("AdsBot-Google", "66.249.64.1")


def test_nothing_is_known_of_who_stands_in_a_log_by_name(tmp_path: Path) -> None:
    known = ranges(tmp_path, googlebot=GOOGLE)
    assert not known.is_unverified("Googlebot", "100::1234")
    assert not known.is_unverified("Googlebot", "nonsense")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("ranges", GOOGLE, "not that of a machine"),
        ("gptbot", "{", "publisher"),
        ("gptbot", "[]", "publisher"),
        ("gptbot", {"prefixes": []}, "no address range"),
        ("gptbot", {"prefixes": [{"ipv4Prefix": "nonsense"}]}, "nonsense"),
        ("gptbot", {"prefixes": [{"ipv4Prefix": ["192.0.2.0/24"]}]}, "publisher"),
        ("gptbot", {"prefixes": [{"region": "x"}]}, "no address range"),
        ("gptbot", {"prefixes": "x"}, "publisher"),
    ],
)
def test_a_file_that_says_nothing_is_refused_by_name(
    tmp_path: Path, name: str, content: object, says: str
) -> None:
    with pytest.raises(Misconfigured, match=says) as refusal:
        ranges(tmp_path, **{name: content})
    assert f"{name}.json" in str(refusal.value)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"machine_ranges.*nowhere"):
        MachineRanges(tmp_path / "nowhere")


# Hits, pictures and logs alike

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
GPTBOT = "Mozilla/5.0 (compatible; GPTBot/1.3; +https://openai.com/gptbot)"


@pytest.fixture
async def verifying(tmp_path: Path) -> AsyncIterator[Ingesting]:
    (tmp_path / "ranges").mkdir()
    known = ranges(tmp_path / "ranges", googlebot=GOOGLE)
    async with ingesting(tmp_path, ranges=known) as world:
        yield world


async def sent(world: Ingesting, way: str, address: str, agent: str) -> Hit:
    """The hit that a request of *agent* from *address* makes, by one of the ways in."""
    if way == "log":
        site = world.catalog.sites.get(SITE)
        assert site is not None
        line = f'{address} - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "{agent}"'
        record = await AccessLog(world.enricher, site, TrustedProxies([])).read(line.encode())
    else:
        headers = {"x_forwarded_for": address, "user_agent": agent}
        if way == "pixel":
            await world.ask("GET", "/pixel.gif", query=f"d={SITE}&u=/", **headers)
        else:
            body = f'{{"n":"pageview","u":"https://{SITE}/","d":"{SITE}"}}'.encode()
            await world.ask("POST", "/api/event", body, **headers)
        record = (await world.records())[-1]
    assert isinstance(record, Hit)
    return record


@pytest.mark.parametrize("way", ["hit", "pixel", "log"])
async def test_an_impostor_is_told_from_the_machine_however_it_comes(
    verifying: Ingesting, way: str
) -> None:
    true = await sent(verifying, way, "66.249.64.7", GOOGLEBOT)
    assert (true.bot, true.browser) == ("crawler", "Googlebot")
    false = await sent(verifying, way, "203.0.113.9", GOOGLEBOT)
    assert (false.bot, false.browser) == ("unverified", "Googlebot (unverified)")
    unknown = await sent(verifying, way, "203.0.113.9", GPTBOT)
    assert (unknown.bot, unknown.browser) == ("crawler", "GPTBot")


async def test_a_person_at_any_address_is_no_impostor(verifying: Ingesting) -> None:
    person = await sent(verifying, "hit", "203.0.113.9", FIREFOX)
    assert (person.bot, person.browser) == (None, "Firefox")


async def test_a_mails_picture_is_never_an_impostors(tmp_path: Path) -> None:
    (tmp_path / "ranges").mkdir()
    async with ingesting(tmp_path, ranges=ranges(tmp_path / "ranges", google=GOOGLE)) as world:
        proxy = "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)"
        opened = await sent(world, "pixel", "203.0.113.9", proxy)
        assert opened.bot is None
        assert not opened.browser.endswith("(unverified)")


async def test_nothing_is_claimed_of_a_logs_host_name(verifying: Ingesting) -> None:
    named = await sent(verifying, "log", "crawl-66-249-64-7.googlebot.com", GOOGLEBOT)
    assert named.bot == "crawler"
