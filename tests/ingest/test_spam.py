"""Hits with a known spam referrer are dropped, until the site's owner says otherwise."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec
import pytest
from tests.ingest.world import SITE, Ingesting, drop_reason, sent

from analytics.errors import Misconfigured
from analytics.event import DropReason
from analytics.ingest.spam import SpamReferrers


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
    assert drop_reason(world, spam) is DropReason.SPAM_REFERRER
    await world.site(count_spam_referrers=True)
    assert drop_reason(world, spam) is None


@pytest.mark.parametrize(
    "referrer",
    ["https://notsemalt.com/", "https://semalt.com.example/", "https://example.org/semalt.com"],
)
async def test_a_name_that_looks_like_one_is_none(world: Ingesting, referrer: str) -> None:
    assert drop_reason(world, sent(url=f"https://{SITE}/", referrer=referrer)) is None


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
