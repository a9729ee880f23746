"""Decides whether a user agent is a bot: it names itself, is on a list, or is not a browser.

A word decides only where a program writes its own name. The name of a phone is its maker's (there
are a "CUBOT NOTE 20" and an "M BOT 551"), so what an agent says of a device is cut out first.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import crawleruseragents

from analytics.event import NO_USER_AGENT

_AUTOMATED: Final = re.compile(
    r"headless|phantomjs|slimerjs|puppeteer|playwright|selenium|webdriver|cypress|testcafe"
    r"|nightmare|zombie\.js|jsdom|htmlunit|powershell|(?<![a-z])http[-_ ]?client|catchpoint"
    r"|dejaclick|gomezagent|synthetics?\b|health[-_ ]?check|^\W*$"
    # Programs on Linux that are not browsers.
    r"|^(?!mozilla|opera)(?!.*(?:android|tizen|web0s|tv\b|mobi|x11)).*\blinux\b",
    re.IGNORECASE,
)
_CLIENTS: Final = re.compile(
    r"(?:aiohttp|ansible|apache-httpclient|apachebench|axios|bun|check_http|colly|curl|dart|deno|elb-health"
    r"|faraday|fasthttp|go-http|googlehc|got\b|grpc|guzzle|hackney|httpie|http_request2|httpunit"
    r"|httpx|hyper|insomnia|java\b|java/|jakarta|jetty|k6|kube-probe|ktor|libcurl|libwww|lua-resty"
    r"|mechanize|nginx|node|okhttp|perl|php|pip/|postman|prometheus|python|quic-go|reactornetty"
    r"|reqwest|rest-client|restsharp|ruby|scalaj|scrapy|siege|spray-can|typhoeus|undici|unirest"
    r"|ureq|vegeta|wget|winhttp|wrk)",
    re.IGNORECASE,
)
"""Programs and libraries that fetch, by the name that an agent begins with."""
_COMMENT: Final = re.compile(r"\((?:[^()]|\([^()]*\))*(?:\)|$)|\[[^\]]*(?:\]|$)")
_OF_A_DEVICE: Final = re.compile(
    r"android|\d+ ?dpi\b|tizen|smart-?tv|web0s|hbbtv|bada|kaios|symbian|series ?\d0|windows phone"
    r"|blackberry|harmony|^\((?:mobile|tablet)?;|\bfb\w\w/",
    re.IGNORECASE,
)
_INTRODUCED: Final = re.compile(r"compatible[;,]|https?:|www\.", re.IGNORECASE)
_ORDINARY: Final = re.compile(
    r"(?:Mozilla|AppleWebKit|Chrome|Safari|Version|Mobile|Firefox|Gecko|Edg[AiOS]*|OPR|CriOS"
    r"|FxiOS|SamsungBrowser|Chromium)(?:/[\w.]+)?\b|\(KHTML, like Gecko\)|like Gecko"
    r"|Windows NT [\d.]+|Win64|WOW64|x64|Macintosh|Intel Mac OS X [\d_.]+|X11|CrOS|Ubuntu|Linux"
    r"|x86_64|aarch64|armv7l|i686|rv:[\d.]+|Trident/[\d.]+"
    r"|iP(?:hone|ad|od touch); CPU (?:iPhone )?OS [\d_]+ like Mac OS X"
)
"""The parts of ordinary browsers' user agents."""
_ADDRESS: Final = re.compile(
    r"(?:https?:/|\bwww\.)(?!/?/?(?:www\.)?(?:bsalsa|avantbrowser|qtweb|orcabrowser|kangaroo)\b)"
    r"|[\w.+-](?:@|\[at\])[\w-]+\.[a-z]{2}",
    re.IGNORECASE,
)
"""A contact address: bots give one, and of browsers only a few old ones."""
_APPENDED: Final = re.compile(r"\).*\(compatible[;,] ?(?!MSIE|Trident)[a-z]", re.IGNORECASE)
"""A program's name after that of a browser."""
_NAMED: Final = re.compile(
    r"(?<!ange)bots?(?![a-z])|[-_/ ;]bot|crawl|spider|slurp|lighthouse|hotjar|-optimizer"
    r"|googleother|(?:bing|google web )preview|\bptst/",
    re.IGNORECASE,
)
_WORKING: Final = re.compile(
    r"archiver|validator|scraper|link-?check|[-_]scan|scanner/|fetcher|monitor(?:ing)?(?![a-z])"
    r"|pingdom|uptime|feedburner|\bgoogle-",
    re.IGNORECASE,
)
_SHELL: Final = re.compile(
    r"(?:Mozilla|Opera)/.*(?:Mobile|Android|iPhone|iPad|iPod|Electron/|Tizen|Web0S|SmartTV|Fluid/)"
)
"""Apps that open pages inside themselves add their names to a browser's, and the lists have many
of these names too, as those of the programs that fetch previews."""
_PURPOSE: Final = re.compile(
    r"feed|fetch|monitor|preview|scan|check|rss|search|link|seo\b|index|archiv|compatible",
    re.IGNORECASE,
)
"""The stated purpose of a program that is not a browser."""
_FEEDS: Final = re.compile(r"(?!Mozilla|Opera).*(?:feed|\brss|podcast)", re.IGNORECASE)
_SYSTEM: Final = re.compile(
    r"midp|cldc|maui|j2me|playstation|nintendo|xbox|x11|macintosh|mac_|win(?:dows|16|32|64|ce|nt)"
    r"|os/2|palmos|risc ?os|amiga|beos|haiku|kaios|tizen|web0s|hbbtv|smart-?tv|openharmony"
    r"|symbian|series\d0|netfront|up\.(?:browser|link)|ucweb|opera mini|blackberry|silk/|kindle"
    r"|ericsson|dillo|netsurf|kyocera|bravia|kdl-|\bfban/|browser|^sleipnir|konqueror"
    r"|^(?:mozilla|opera)/.*(?:\w*webkit|trident|presto|gecko)/\d",
    re.IGNORECASE,
)
"""Of systems and engines that uap-core has no name for."""
_TEXT_BROWSERS: Final = re.compile(
    r"(?:w3m|lynx|e?links|dillo|netsurf|edbrowse|emacs|ibrowse|amiga-aweb|retawq)\b", re.IGNORECASE
)
_PEOPLES: Final = frozenset({"Viber", "WhatsApp", "Fluid"})
"""Patterns of the list that browsers on a desktop meet, too."""
_SHOWS_MAIL: Final = re.compile(
    r"ggpht\.com|GoogleImageProxy|YahooMailProxy|Microsoft Outlook|\bMSOffice\b|^Mozilla/5\.0$"
)
"""Programs that load a mail's pictures for its reader; the bare word is Apple Mail's relay."""
_CHUNK: Final = 25
"""Python's `re` is fastest with few alternatives at a time."""


def why(user_agent: str, *, spider: bool, system: bool) -> str | None:
    """Return `crawler`, `tool` or `no-user-agent` for a bot; None for a person's browser.

    *spider* is what uap-core says of `without_devices(user_agent)`, *system* whether it knows the
    operating system or the device's maker. Slow: the caller caches it.
    """
    if not user_agent.strip():
        return NO_USER_AGENT
    if _TEXT_BROWSERS.match(user_agent):
        return None
    # First, because the lists of crawlers have curl and the like too.
    if _AUTOMATED.search(user_agent) or _CLIENTS.match(user_agent):
        return "tool"
    text = without_devices(user_agent)
    plain = not any(character.isalnum() for character in _ORDINARY.sub("", text))
    if not plain:
        if _names_itself(text):
            return "crawler"
        if _SHELL.search(user_agent) is None and (
            spider or _WORKING.search(text) or _is_listed(text)
        ):
            return "crawler"
    if system or _SYSTEM.search(user_agent):
        return "crawler" if _FEEDS.match(text) else None
    return "crawler" if _PURPOSE.search(user_agent) else "tool"


def shows_mail(user_agent: str) -> bool:
    """Return whether *user_agent* loads a mail's pictures for the person who reads it."""
    return _SHOWS_MAIL.search(user_agent) is not None


def without_devices(user_agent: str) -> str:
    """Return *user_agent* without comments that describe a phone, a tablet or a television."""
    return _COMMENT.sub(_kept, user_agent)


def _kept(comment: re.Match[str]) -> str:
    text = comment[0]
    return "" if _OF_A_DEVICE.search(text) and not _INTRODUCED.search(text) else text


def _names_itself(text: str) -> bool:
    return bool(_NAMED.search(text) or _ADDRESS.search(text) or _APPENDED.search(text))


@lru_cache(maxsize=1)
def _listed() -> tuple[re.Pattern[str], ...]:
    patterns = [
        entry["pattern"]
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
        if entry["pattern"] not in _PEOPLES
    ]
    return tuple(
        re.compile("|".join(patterns[start : start + _CHUNK]))
        for start in range(0, len(patterns), _CHUNK)
    )


def _is_listed(text: str) -> bool:
    return any(chunk.search(text) for chunk in _listed())
