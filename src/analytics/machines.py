"""Known machines: by name, who runs each, and what for.

The name of a machine stands in the column `browser` of its events, in place of a person's browser.
Everything else follows from it when figures are asked for, so that a corrected row of this table
corrects the past as well. docs/reference-data.md says where the rows are from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

UNVERIFIED_SUFFIX: Final = " (unverified)"
"""The suffix of the names of machines from an address that their operator does not publish."""
UNVERIFIED: Final = "Unverified"
"""The operator and the purpose of such a machine."""
UNKNOWN: Final = "Unknown"
"""The operator of a machine that is not in the table, or is a program that anybody runs."""
UNNAMED: Final = "Unnamed"
"""A machine that does not say its name."""


class Purpose(StrEnum):
    """The purpose for which a machine reads pages."""

    TRAINING = "Training"
    """To train models, or to collect what others train them with."""
    SEARCH = "Search index"
    """For the index of a search engine, or of an assistant that searches."""
    QUESTION = "Person's question"
    """At once, because a person has asked an assistant."""
    PREVIEW = "Link preview"
    """To show a link that a person has sent to others."""
    FEED = "Feed reader"
    MONITORING = "Monitoring"
    SEO = "SEO"
    """To report on sites to those who want theirs to be found."""
    ARCHIVE = "Archive"
    SCAN = "Security scan"
    TOOL = "Tool"
    """A general-purpose program or library."""
    OTHER = "Other"


class Machine(NamedTuple):
    """One row of the table."""

    name: str
    operator: str
    purpose: Purpose


_T, _S, _Q = Purpose.TRAINING, Purpose.SEARCH, Purpose.QUESTION
_P, _F, _M, _O = Purpose.PREVIEW, Purpose.FEED, Purpose.MONITORING, Purpose.OTHER

_TABLE: Final[Mapping[str, Mapping[Purpose, str]]] = {
    "OpenAI": {_T: "GPTBot", _S: "OAI-SearchBot", _Q: "ChatGPT-User", _O: "OAI-AdsBot"},
    "Anthropic": {
        _T: "ClaudeBot|anthropic-ai",
        _S: "Claude-SearchBot",
        _Q: "Claude-User",
        _O: "Claude-Web",
    },
    "Google": {
        _S: "Googlebot|Googlebot-Image|Googlebot-News|Googlebot-Video|Storebot-Google",
        _Q: "Google-Agent|Google-GeminiNotebook|Google-NotebookLM|Google-Pinpoint|Google-Read-Aloud"
        "|GoogleAgent-Mariner|GoogleAgent-URLContext|Gemini-Deep-Research",
        _P: "GmailImageProxy|GoogleImageProxy|GoogleMessages",
        _F: "FeedFetcher-Google",
        _M: "GoogleStackdriverMonitoring|GoogleHC",
        _O: "AdsBot-Google|APIs-Google|Google-CWS|Google-CloudVertexBot|Google-InspectionTool"
        "|Google-Safety|Google-Site-Verification|GoogleOther|Mediapartners-Google",
    },
    "Microsoft": {
        _S: "bingbot|msnbot|AzureAI-SearchBot",
        _P: "BingPreview|MicrosoftPreview|SkypeUriPreview",
        _O: "adidxbot",
    },
    "Meta": {
        _T: "meta-externalagent",
        _S: "meta-webindexer",
        _Q: "meta-externalfetcher",
        _P: "facebookexternalhit|facebookcatalog|WhatsApp",
        _O: "FacebookBot|meta-externalads",
    },
    "Apple": {_S: "Applebot", _F: "AppleNewsBot|iTMS"},
    "Perplexity": {_S: "PerplexityBot", _Q: "Perplexity-User"},
    "Mistral AI": {_T: "MistralAI-Training", _S: "MistralAI-Index", _Q: "MistralAI-User"},
    "Amazon": {
        _T: "Amazonbot",
        _S: "Amzn-SearchBot",
        _Q: "Amzn-User",
        _M: "ELB-HealthChecker|Amazon-Route53-Health-Check-Service",
    },
    "ByteDance": {_T: "Bytespider", _P: "TikTokSpider"},
    "Common Crawl": {_T: "CCBot"},
    "Cohere": {_T: "cohere-training-data-crawler", _O: "cohere-ai"},
    "DeepSeek": {_O: "DeepSeekBot"},
    "xAI": {_O: "GrokBot|xAI-Bot"},
    "Allen Institute for AI": {_T: "AI2Bot"},
    "Webz.io": {_T: "omgili|omgilibot|Webzio-Extended"},
    "Diffbot": {_O: "Diffbot"},
    "DuckDuckGo": {_S: "DuckDuckBot", _Q: "DuckAssistBot", _O: "DuckDuckGo-Favicons-Bot"},
    "You.com": {_S: "YouBot"},
    "Kagi": {_S: "Kagibot", _Q: "kagi-fetcher"},
    "Brave": {_S: "Bravebot"},
    "Mojeek": {_S: "MojeekBot"},
    "Qwant": {_S: "Qwantbot|Qwantify"},
    "Seznam": {_S: "SeznamBot"},
    "Yahoo": {_S: "Yahoo! Slurp", _P: "YahooMailProxy"},
    "Yandex": {
        _S: "YandexBot|YandexImages|YandexMobileBot|YandexRenderResourcesBot|YandexVideo",
        _O: "YandexMetrika|YandexAccessibilityBot|YandexDirect",
    },
    "Baidu": {_S: "Baiduspider"},
    "Sogou": {_S: "Sogou web spider"},
    "Qihoo 360": {_S: "360Spider"},
    "Huawei": {_S: "PetalBot", _T: "PanguBot"},
    "Naver": {_S: "Yeti"},
    "Coc Coc": {_S: "coccocbot-web"},
    "Timpi": {_S: "Timpibot"},
    "Internet Archive": {
        Purpose.ARCHIVE: "archive.org_bot|ia_archiver|Wayback Machine Live Record"
    },
    "Slack": {_P: "Slackbot|Slackbot-LinkExpanding|Slack-ImgProxy"},
    "X": {_P: "Twitterbot"},
    "LinkedIn": {_P: "LinkedInBot"},
    "Telegram": {_P: "TelegramBot"},
    "Discord": {_P: "Discordbot"},
    "Pinterest": {_P: "Pinterestbot"},
    "Reddit": {_P: "redditbot"},
    "Snap": {_P: "Snap URL Preview Service"},
    "Bluesky": {_P: "Bluesky Cardyb"},
    "VK": {_P: "vkShare"},
    "Embedly": {_P: "Embedly"},
    "Iframely": {_P: "Iframely"},
    "Feedly": {_F: "Feedly|FeedlyBot"},
    "Inoreader": {_F: "Inoreader"},
    "NewsBlur": {_F: "NewsBlur"},
    "Feedbin": {_F: "Feedbin"},
    "Ahrefs": {Purpose.SEO: "AhrefsBot|AhrefsSiteAudit"},
    "Semrush": {Purpose.SEO: "SemrushBot|SiteAuditBot|SplitSignalBot"},
    "Majestic": {Purpose.SEO: "MJ12bot"},
    "Moz": {Purpose.SEO: "DotBot|rogerbot"},
    "DataForSEO": {Purpose.SEO: "DataForSeoBot"},
    "SISTRIX": {Purpose.SEO: "SISTRIX"},
    "SEOkicks": {Purpose.SEO: "SEOkicks"},
    "Serpstat": {Purpose.SEO: "serpstatbot"},
    "Babbar": {Purpose.SEO: "Barkrowler"},
    "WebMeUp": {Purpose.SEO: "BLEXBot"},
    "Screaming Frog": {Purpose.SEO: "Screaming Frog SEO Spider"},
    "UptimeRobot": {_M: "UptimeRobot"},
    "Pingdom": {_M: "PingdomBot=Pingdom.com_bot|PingdomTMS"},
    "StatusCake": {_M: "StatusCake"},
    "Better Stack": {_M: "Better Uptime Bot|BetterStackBot"},
    "Site24x7": {_M: "Site24x7"},
    "Datadog": {_M: "DatadogSynthetics"},
    "New Relic": {_M: "NewRelicPinger"},
    "HetrixTools": {_M: "HetrixTools"},
    "Cloudflare": {_M: "Cloudflare-Healthchecks", Purpose.ARCHIVE: "CloudFlare-AlwaysOnline"},
    "Censys": {Purpose.SCAN: "CensysInspect"},
    "Palo Alto Networks": {Purpose.SCAN: "Expanse"},
    "Internet Measurement": {Purpose.SCAN: "InternetMeasurement"},
    UNKNOWN: {
        _M: "updown.io|OhDear.app|kube-probe|Uptime-Kuma|Blackbox Exporter|check_http|Zabbix",
        Purpose.SCAN: "zgrab|Nmap Scripting Engine|Nuclei|masscan",
        _F: "Tiny Tiny RSS|FreshRSS|Miniflux",
        Purpose.TOOL: "curl|Wget|python-requests|python-httpx|Python-urllib|aiohttp|Scrapy"
        "|Go-http-client|okhttp|Apache-HttpClient|Java|axios|node-fetch|undici|got|libwww-perl"
        "|Ruby|Faraday|GuzzleHttp|PHP|PostmanRuntime|insomnia|HTTPie|reqwest|ureq|Dart|Deno|Bun|Jetty|ApacheBench"
        "|Lighthouse"
        "|HeadlessChrome|PhantomJS|Playwright|Puppeteer|Selenium",
    },
}
"""By operator and purpose, names with `|` between them; `name=text` where the agent says *text*."""

_COMMON: Final = (
    "Googlebot|Googlebot-Image|Googlebot-News|Googlebot-Video|Storebot-Google|GoogleOther"
    "|Google-InspectionTool|Google-CloudVertexBot"
)
_SPECIAL: Final = "APIs-Google|AdsBot-Google|Google-Safety|Mediapartners-Google"
_TRIGGERED: Final = (
    "FeedFetcher-Google|Google-CWS|Google-GeminiNotebook|Google-NotebookLM|Google-Pinpoint"
    "|Google-Read-Aloud|Google-Site-Verification|GoogleMessages"
)
_PUBLISHED: Final = {
    "googlebot": _COMMON,
    "commoncrawlers": _COMMON,
    "specialcrawlers": _SPECIAL,
    "usertriggeredfetchers": _TRIGGERED,
    "usertriggeredfetchersgoogle": _TRIGGERED,
    "usertriggeredagents": "Google-Agent",
    "searchbot": "OAI-SearchBot",
    "commoncrawl": "CCBot",
}
"""Files of address ranges whose name, as published, is not that of their one machine."""


class _Rows(NamedTuple):
    by_name: Mapping[str, Machine]
    by_text: Mapping[str, Machine]
    """Each by what its agent says, in lower case."""


def _rows() -> _Rows:
    by_name: dict[str, Machine] = {}
    by_text: dict[str, Machine] = {}
    for operator, purposes in _TABLE.items():
        for purpose, cell in purposes.items():
            for entry in cell.split("|"):
                name, _, text = entry.partition("=")
                by_name[name] = by_text[(text or name).lower()] = Machine(name, operator, purpose)
    return _Rows(by_name, by_text)


def _texts(*, of_tools: bool) -> str:
    """Return the pattern of the texts in user agents, the longest first."""
    rows = _ROWS.by_text.items()
    texts = [text for text, row in rows if (row.purpose is Purpose.TOOL) is of_tools]
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


_ROWS: Final = _rows()
_SAID: Final = re.compile(
    rf"(?:^(?:{_texts(of_tools=True)})|(?<![a-z0-9])(?:{_texts(of_tools=False)}))(?![a-z0-9])",
    re.IGNORECASE,
)
"""A machine's name anywhere, or a tool's at the beginning: a crawler says as well which tool or
library it is made with."""


def all_known() -> Mapping[str, Machine]:
    """Return every machine of the table by its name."""
    return _ROWS.by_name


def named_in(user_agent: str) -> tuple[Machine, str] | None:
    """Return the first machine of the table that *user_agent* names, and the text that follows."""
    match = _SAID.search(user_agent)
    if match is None:
        return None
    return _ROWS.by_text[match[0].lower()], user_agent[match.end() :]


def current_name(browser: str) -> str:
    """Return the name that the table has today for a machine whose events have *browser*.

    A machine that the table did not know was stored under the name that it gives itself.
    """
    if browser in _ROWS.by_name or browser.endswith(UNVERIFIED_SUFFIX):
        return browser
    machine = named_in(browser)
    return browser if machine is None else machine[0].name


def whose_ranges(file_name: str) -> frozenset[str]:
    """Return the names of the machines whose addresses a file of that name, as published, lists.

    It is called by a machine (`gptbot.json`), or by an operator for all of that operator's.
    """
    plain = _plain(file_name.partition(".")[0])
    if plain in _PUBLISHED:
        return frozenset(_PUBLISHED[plain].split("|"))
    plain = plain.removesuffix("ips")
    return frozenset(
        machine.name
        for machine in _ROWS.by_name.values()
        if _plain(machine.name) == plain
        or (machine.operator != UNKNOWN and _plain(machine.operator) == plain)
    )


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def name_of(browser: str) -> str:
    """Return the name of the machine whose events have *browser*."""
    return browser or UNNAMED


def operator_of(browser: str) -> str:
    """Return the operator of the machine whose events have *browser*."""
    if browser.endswith(UNVERIFIED_SUFFIX):
        return UNVERIFIED
    machine = _ROWS.by_name.get(browser)
    return UNKNOWN if machine is None else machine.operator


def purpose_of(browser: str) -> str:
    """Return the purpose of the machine whose events have *browser*."""
    if browser.endswith(UNVERIFIED_SUFFIX):
        return UNVERIFIED
    machine = _ROWS.by_name.get(browser)
    return Purpose.OTHER if machine is None else machine.purpose
