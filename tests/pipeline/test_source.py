"""One name for one source, however it is written."""

from __future__ import annotations

from importlib.resources import files

import pytest

from analytics.pipeline.source import Sources

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
        ("localhost", ""),
        ("localhost:3000/a", ""),
        ("192.168.1.5/", ""),
        ("com.acme.reader/", "com.acme.reader"),
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
        ("//google.com./search", "Google"),
        ("fb", "Facebook"),
        ("IG", "Instagram"),
        ("yt", "YouTube"),
        ("twitter", "Twitter"),
        ("x", "Twitter"),
        ("hackernews", "Hacker News"),
        ("Threads", "Threads"),
        ("linkedin_ads", "LinkedIn"),
        ("Newsletter-UK", "Newsletter-UK"),
        (" NEWSLETTER ", "NEWSLETTER"),
        ("v1.2", "v1.2"),
        ("www.partner.example", "partner.example"),
    ],
)
def test_a_tag_is_known_in_any_case_and_by_its_shorthands(utm_source: str, name: str) -> None:
    assert source(utm_source=utm_source) == name


@pytest.mark.parametrize(
    ("referrer", "utm_source", "name"),
    [
        ("chatgpt.com/", "", "ChatGPT"),
        ("", "chatgpt.com", "ChatGPT"),
        ("", "openai", "ChatGPT"),
        ("claude.ai/", "", "Claude"),
        ("www.perplexity.ai/", "", "Perplexity"),
        ("", "perplexity", "Perplexity"),
        ("gemini.google.com/", "", "Gemini"),
        ("copilot.microsoft.com/", "", "Copilot"),
        ("chat.mistral.ai/", "", "Le Chat"),
        ("", "mistral", "Le Chat"),
        ("", "lechat", "Le Chat"),
        ("chat.deepseek.com/", "", "DeepSeek"),
        ("grok.com/", "", "Grok"),
        ("", "xai", "Grok"),
        ("www.meta.ai/", "", "Meta AI"),
        ("", "meta-ai", "Meta AI"),
        ("you.com/", "", "You.com"),
        ("poe.com/", "", "Poe"),
        ("chat.z.ai/", "", "Z.ai"),
        ("lumo.proton.me/", "", "Lumo"),
        ("www.genspark.ai/", "", "Genspark"),
        ("manus.im/", "", "Manus"),
    ],
)
def test_people_from_an_assistant_come_by_its_name(
    referrer: str, utm_source: str, name: str
) -> None:
    resolved = SOURCES.resolve(referrer, utm_source, "", "", "")
    assert resolved == (name, "AI Assistants")


@pytest.mark.parametrize("referrer", ["openai.com/", "mistral.ai/", "anthropic.com/", "x.ai/"])
def test_the_company_behind_an_assistant_is_a_referral(referrer: str) -> None:
    assert SOURCES.resolve(referrer, "", "", "", "")[1] == "Referral"


def test_the_tag_goes_before_the_referrer_and_that_before_the_click_id() -> None:
    assert source("google.com/", "partner", "fbclid") == "partner"
    assert source("google.com/", "", "fbclid") == "Google"
    assert source("", "", "fbclid") == "Facebook"


@pytest.mark.parametrize(
    "hostile",
    ["/", "//", ".", "...", ":", "a" * 3000, "\0", "é.例え", "www.",
     "search." * 30 + "xyz.google.com", "https://" + "search." * 30 + "xyz.google.com/"],
)  # fmt: skip
def test_nothing_that_is_sent_makes_it_fail(hostile: str) -> None:
    assert isinstance(source(hostile), str)
    assert isinstance(source(utm_source=hostile), str)


def test_the_vendored_table_keeps_its_licence_beside_it() -> None:
    notice = files("analytics.pipeline") / "data" / "referrers.NOTICE.txt"
    assert "Copyright (c) 2013-2026 Ghost Foundation" in notice.read_text("utf-8")


@pytest.mark.parametrize("host", ["google", "yandex", "yahoo", "bing", "amazon", "pinterest"])
@pytest.mark.parametrize("suffix", ["com", "fr", "co.uk", "com.tr", "co.nz", "ly"])
def test_a_name_known_everywhere_is_known_in_every_country(host: str, suffix: str) -> None:
    assert source(f"{host}.{suffix}/x").rstrip("!").lower() == host


@pytest.mark.parametrize("host", ["google.dev", "google.example.com", "bing.org", "mygoogle.com"])
def test_a_name_that_only_resembles_one_is_its_own(host: str) -> None:
    assert source(f"{host}/x") == host
