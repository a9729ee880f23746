"""One name for one source, however it is written."""

from __future__ import annotations

from importlib.resources import files

import pytest

from analytics.pipeline.source import CACHED, Sources

SOURCES = Sources()


def source(referrer: str = "", utm_source: str = "", click_id: str = "") -> str:
    return SOURCES.resolve(referrer, utm_source, "", "", click_id)[0]


@pytest.mark.parametrize(
    ("referrer", "name"),
    [
        ("google.com/search", "Google"),
        ("google.co.uk", "Google"),
        ("images.google.de/", "Google Images"),
        ("google.de/imgres", "Google Images"),
        ("google.de/imgresearch", "Google"),
        ("m.facebook.com/", "Facebook"),
        ("lm.facebook.com/l.php", "Facebook"),
        ("notfacebook.com/", "notfacebook.com"),
        ("x.com/someone", "Twitter"),
        ("duckduckgo.com/", "DuckDuckGo"),
        ("de.wikipedia.org/wiki/Web", "Wikipedia"),
        ("news.example.com:8443/a/b", "news.example.com"),
        ("Example.COM/", "example.com"),
        ("claude.ai/chat", "Claude"),
        ("youtu.be/x", "YouTube"),
        ("localhost", "localhost"),
        ("", ""),
    ],
)
def test_a_referrer_is_known_by_its_host(referrer: str, name: str) -> None:
    assert source(referrer) == name


@pytest.mark.parametrize(
    ("utm_source", "name"),
    [
        ("google", "Google"),
        ("GOOGLE", "Google"),
        (" Google ", "Google"),
        ("google.com", "Google"),
        ("https://www.google.com", "Google"),
        ("fb", "Facebook"),
        ("IG", "Instagram"),
        ("yt", "YouTube"),
        ("twitter", "Twitter"),
        ("x", "Twitter"),
        ("hackernews", "Hacker News"),
        ("Threads", "Threads"),
        ("linkedin_ads", "LinkedIn"),
        ("Newsletter", "newsletter"),
        ("NEWSLETTER", "newsletter"),
        ("www.partner.example", "partner.example"),
    ],
)
def test_a_tag_is_known_in_any_case_and_by_its_shorthands(utm_source: str, name: str) -> None:
    assert source(utm_source=utm_source) == name


def test_the_tag_goes_before_the_referrer_and_that_before_the_click_id() -> None:
    assert source("google.com/", "partner", "fbclid") == "partner"
    assert source("google.com/", "", "fbclid") == "Google"
    assert source("", "", "fbclid") == "Facebook"


@pytest.mark.parametrize(
    "hostile", ["/", "//", ".", "...", ":", "a" * 3000, "\0", "é.例え", "www."]
)
def test_nothing_that_is_sent_makes_it_fail(hostile: str) -> None:
    assert isinstance(source(hostile), str)
    assert isinstance(source(utm_source=hostile), str)


def test_the_vendored_table_keeps_its_licence_beside_it() -> None:
    notice = files("analytics.pipeline") / "data" / "referrers.NOTICE.txt"
    assert "Copyright (c) 2013-2026 Ghost Foundation" in notice.read_text("utf-8")


def test_the_memory_is_bounded() -> None:
    sources = Sources()
    for number in range(CACHED + 10):
        sources.resolve(f"host{number}.example", "", "", "", "")
    assert sources.resolve.cache_info().currsize == CACHED
