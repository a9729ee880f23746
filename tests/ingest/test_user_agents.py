"""User agents: names as uap-core has them, a kind of device, and machines known as such."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest import corpus

from analytics.ingest import bots, user_agents

MOZ = "Mozilla/5.0"
KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
PEOPLE = [
    (f"{MOZ} (Windows NT 10.0; Win64; x64) {KIT} Chrome/140.0.0.0 Safari/537.36",
     "Desktop", "Chrome", "140.0", "Windows", "10"),
    (f"{MOZ} (Windows NT 10.0; Win64; x64) {KIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
     "Desktop", "Edge", "140.0", "Windows", "10"),
    (f"{MOZ} (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
     "Desktop", "Firefox", "143.0", "Windows", "10"),
    ((f"{MOZ} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
     " Version/18.6 Safari/605.1.15"), "Desktop", "Safari", "18.6", "Mac OS X", "10.15"),
    (f"{MOZ} (X11; Linux x86_64) {KIT} Chrome/140.0.0.0 Safari/537.36",
     "Desktop", "Chrome", "140.0", "Linux", ""),
    (f"{MOZ} (X11; Ubuntu; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
     "Desktop", "Firefox", "143.0", "Ubuntu", ""),
    (f"{MOZ} (X11; CrOS x86_64 14541.0.0) {KIT} Chrome/139.0.0.0 Safari/537.36",
     "Desktop", "Chrome", "139.0", "Chrome OS", "14541.0"),
    (f"{MOZ} (Windows NT 10.0; Win64; x64) {KIT} Chrome/139.0.0.0 Safari/537.36 OPR/123.0.0.0",
     "Desktop", "Opera", "123.0", "Windows", "10"),
    (f"{MOZ} (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
     "Desktop", "IE", "11.0", "Windows", "7"),
    ((f"{MOZ} (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
     " Version/18.6 Mobile/15E148 Safari/604.1"), "Mobile", "Mobile Safari", "18.6", "iOS", "18.6"),
    ((f"{MOZ} (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
     " CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1"),
     "Mobile", "Chrome Mobile iOS", "140.0", "iOS", "18.6"),
    ((f"{MOZ} (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
     " Version/16.6 Mobile/15E148 Safari/604.1"), "Tablet", "Mobile Safari", "16.6", "iOS", "16.6"),
    (f"{MOZ} (Linux; Android 10; K) {KIT} Chrome/140.0.0.0 Mobile Safari/537.36",
     "Mobile", "Chrome Mobile", "140.0", "Android", "10"),
    ((f"{MOZ} (Linux; Android 13; SAMSUNG SM-S918B) {KIT} SamsungBrowser/28.0 Chrome/130.0.0.0"
     " Mobile Safari/537.36"), "Mobile", "Samsung Internet", "28.0", "Android", "13"),
    (f"{MOZ} (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
     "Mobile", "Firefox Mobile", "143.0", "Android", "15"),
    (f"{MOZ} (Linux; Android 12; SM-T870) {KIT} Chrome/139.0.0.0 Safari/537.36",
     "Tablet", "Chrome", "139.0", "Android", "12"),
    (f"{MOZ} (Linux; Android 9; AFTMM) {KIT} Silk/120.1.1 like Chrome/120.0.0.0 Safari/537.36",
     "TV", "Amazon Silk", "120.1", "Android", "9"),
    (f"{MOZ} (SMART-TV; LINUX; Tizen 6.0) {KIT} 76.0.3809.146/6.0 TV Safari/537.36",
     "TV", "Safari", "", "Tizen", "6.0"),
    (f"{MOZ} (Web0S; Linux/SmartTV) {KIT} Chrome/94.0.4606.128 Safari/537.36 WebAppManager",
     "TV", "Chrome", "94.0", "Web0S", ""),
    ("Opera/9.80 (J2ME/MIDP; Opera Mini/7.1/191.303; U; en) Presto/2.12.423 Version/12.16",
     "Mobile", "Opera Mini", "7.1", "", ""),
]  # fmt: skip
RARE = [
    ("NetSurf/3.10 (Linux)", "NetSurf", "3.10", "Linux"),
    ("Mozilla/5.0 (X11; Linux) NetSurf/3.11", "NetSurf", "3.11", "Linux"),
    ("w3m/0.5.3+git20230121", "w3m", "0.5", ""),
    ("Emacs-w3m/1.4.632 w3m/0.5.3+git20230121", "w3m", "0.5", ""),
    ("Lynx/2.9.0dev.12 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.7.9", "Lynx", "2.9", ""),
    ("Dillo/3.0.5", "Dillo", "3.0", ""),
    ("Mozilla/5.0 (compatible; Dillo 3.2.0)", "Dillo", "3.2", ""),
    ("edbrowse/3.8.0", "edbrowse", "3.8", ""),
    (
        (f"{MOZ} (X11; Linux x86_64) {APPLE} Version/60.5 Safari/605.1.15"),
        "WebKitGTK",
        "",
        "Linux",
    ),
    (
        (f"{MOZ} (X11; Ubuntu; Linux x86_64) {APPLE} Version/18.5 Safari/605.1.15"),
        "WebKitGTK",
        "",
        "Ubuntu",
    ),
    (
        (f"{MOZ} (X11; Debian; Linux x86_64) {APPLE} Version/16.5 Safari/605.1.15 Epiphany/43.1"),
        "Epiphany",
        "43.1",
        "Debian",
    ),
    (
        (f"{MOZ} (X11; Ubuntu; Linux x86_64) {APPLE} Version/11.0 Safari/605.1.15 Midori/6"),
        "Midori",
        "6",
        "Ubuntu",
    ),
    (
        (f"{MOZ} (PlayStation; PlayStation 5/9.60) {APPLE} Version/17.0 Safari/605.1.15"),
        "PlayStation",
        "",
        "PlayStation",
    ),
    (
        (
            f"{MOZ} (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, like Gecko)"
            " NF/6.0.3.25.0 NintendoBrowser/5.1.0.32475"
        ),
        "Nintendo Browser",
        "5.1",
        "Nintendo Switch",
    ),
    (
        (
            f"{MOZ} (Phone; OpenHarmony 5.0) {KIT} Chrome/114.0.0.0 Safari/537.36 Mobile"
            " HuaweiBrowser/5.0.4.300"
        ),
        "Huawei Browser",
        "5.0",
        "HarmonyOS",
    ),
    (
        (f"{MOZ} (Haiku x86_64) {APPLE} WebPositive/1.3 Version/16.4 Safari/617.1.17"),
        "WebPositive",
        "1.3",
        "Haiku",
    ),
]
MACHINES = [
    ("", "no-user-agent"),
    ("   ", "no-user-agent"),
    ("-", "tool"),
    ("curl/8.5.0", "tool"),
    ("Wget/1.21", "tool"),
    ("python-requests/2.32", "tool"),
    ("Go-http-client/2.0", "tool"),
    ("axios/1.7", "tool"),
    (f"{MOZ} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "crawler"),
    (f"{MOZ} (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "crawler"),
    (f"{MOZ} {KIT}; compatible; GPTBot/1.2; +https://openai.com/gptbot", "crawler"),
    ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "crawler"),
    (f"{MOZ} (X11; Linux x86_64) {KIT} HeadlessChrome/140.0.0.0 Safari/537.36", "tool"),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "crawler"),
]


@pytest.mark.parametrize(
    ("text", "device", "browser", "version", "system", "system_version"), PEOPLE
)
def test_a_persons_browser_is_named(
    text: str, device: str, browser: str, version: str, system: str, system_version: str
) -> None:
    assert user_agents.parse(text) == user_agents.ParsedAgent(
        device, browser, version, system, system_version, bot=None
    )


@pytest.mark.parametrize(("text", "browser", "version", "system"), RARE)
def test_a_rare_browser_is_named_too(text: str, browser: str, version: str, system: str) -> None:
    looks = user_agents.parse(text)
    assert (looks.browser, looks.browser_version, looks.os) == (browser, version, system)
    assert looks.bot is None


def test_few_browsers_and_systems_of_the_corpus_have_no_name() -> None:
    looks = [user_agents.parse(each.agent) for each in corpus.read("people")]
    assert sum(not each.browser for each in looks) <= 0.025 * len(looks)
    assert sum(not each.os for each in looks) <= 0.05 * len(looks)


@pytest.mark.parametrize(("text", "why"), MACHINES)
def test_a_machine_is_known_as_one(text: str, why: str) -> None:
    assert user_agents.parse(text).bot == why


def test_what_uap_core_calls_a_spider_is_a_crawler() -> None:
    text = PEOPLE[0][0] + " Acme/1.0"
    assert bots.why(text, spider=True, system=True) == "crawler"
    assert bots.why(text, spider=False, system=True) is None


@given(st.text(st.characters(exclude_categories=()), max_size=700))
def test_any_text_is_understood_as_far_as_it_goes(text: str) -> None:
    looks = user_agents.parse(text)
    assert looks.device in ("Desktop", "Mobile", "Tablet", "TV", "Other")
    assert all(isinstance(part, str) for part in looks[:5])


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert user_agents.parse(PEOPLE[0][0] + " " * 600 + "Googlebot").bot is None
