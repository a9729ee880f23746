"""Why a user agent is a machine's: named crawlers, tools, headless browsers, or none at all."""

from __future__ import annotations

import re
from typing import Final

import crawleruseragents

from analytics.event import NO_USER_AGENT

_TOOLS: Final = re.compile(
    r"headless|phantomjs|electron/|puppeteer|playwright|selenium|webdriver|^\W*$"
    r"|^(curl|wget|python|go-http|java|okhttp|libwww|ruby|perl|axios|node|undici|postman|httpie"
    r"|apache-httpclient|scrapy|php|guzzle|dart|rest-client)",
    re.IGNORECASE,
)
_CRAWLERS: Final = re.compile(
    r"bot\b|crawl|spider|slurp|feed|fetch|monitor|preview|scan|archiver|validator",
    re.IGNORECASE,
)


def why(user_agent: str, *, spider: bool) -> str | None:
    """`crawler`, `tool` or `no-user-agent` for a machine; None for a person's browser.

    *spider* is what uap-core says of the device. Slow (some 0.5 ms): the caller caches it.
    """
    if not user_agent.strip():
        return NO_USER_AGENT
    # First, because the lists of crawlers have curl and the like too.
    if _TOOLS.search(user_agent):
        return "tool"
    if spider or _CRAWLERS.search(user_agent) or crawleruseragents.is_crawler(user_agent):
        return "crawler"
    return None
