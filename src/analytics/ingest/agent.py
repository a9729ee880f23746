"""A user agent: the browser, the system and the kind of device, by the names of uap-core."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from ua_parser import Parser
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

from analytics.bounded_cache import bounded_cache
from analytics.ingest import bots
from analytics.ingest.text import clean
from analytics.pipeline import suffix

_LIMIT: Final = 512
_TABLET: Final = re.compile(r"ipad|tablet|kindle|silk/|playbook|nexus (7|9|10)", re.IGNORECASE)
_TV: Final = re.compile(
    r"smart-?tv|hbbtv|apple ?tv|googletv|android ?tv|bravia|\btizen.*\btv|web0s|roku|crkey"
    r"|(?-i:\bAFT[A-Z0-9]+\b)",  # Amazon's models
    re.IGNORECASE,
)
_MOBILE: Final = re.compile(
    r"mobi|iphone|ipod|android|blackberry|bb10|windows phone|opera mini", re.IGNORECASE
)
_DESKTOP: Final = frozenset(
    {"Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Debian", "Chrome OS", "FreeBSD",
     "OpenBSD", "NetBSD", "Red Hat", "CentOS", "SUSE", "Gentoo", "Arch Linux", "Solaris"}
)  # fmt: skip


class Agent(NamedTuple):
    """What a User-Agent header says."""

    device: str
    browser: str
    browser_version: str
    os: str
    os_version: str
    bot: str | None
    """Why we hold it for a machine; None for a person's browser."""
    shows_mail: bool = False
    """Whether it loads the pictures of a mail for the person who reads it."""


@lru_cache(maxsize=1)
def _parser() -> Parser:
    # Building the native matcher takes some 0.7 s: `warm` does it before the first request.
    return Parser(Resolver(load_lazy_builtins()))


def warm() -> None:
    """Build the matchers and tables now, so that the first hit needs not wait for them."""
    suffix.registered("example.com")
    parse("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")


@bounded_cache(10_000)
def parse(user_agent: str) -> Agent:
    """Understand *user_agent*; what it does not say is ""."""
    text = clean(user_agent, _LIMIT)
    result = _parser().parse(text)
    browser, system, device = result.user_agent, result.os, result.device
    spider = device is not None and device.family == "Spider"
    if spider and (said := bots.without_devices(text)) != text:
        named = _parser().parse_device(said)
        spider = named is not None and named.family == "Spider"
    made = device is not None and device.brand not in (None, "Spider", "Generic")
    bot = bots.why(text, spider=spider, system=system is not None or made)
    shows_mail = bots.shows_mail(text)
    proxy = shows_mail and bot is not None
    if proxy:
        system = None  # what a proxy says of a system is nobody's
    family = system.family if system else ""
    return Agent(
        device="Other" if proxy else _device(text, family, "" if device is None else device.family),
        browser=browser.family if browser else "",
        browser_version=_version(browser.major, browser.minor) if browser else "",
        os=family,
        os_version=_version(system.major, system.minor) if system else "",
        bot=bot,
        shows_mail=shows_mail,
    )


def _version(major: str | None, minor: str | None) -> str:
    if not major:
        return ""
    return f"{major}.{minor}" if minor else major


def _device(text: str, system: str, family: str) -> str:
    if _TV.search(text):
        return "TV"
    if _TABLET.search(text) or ("Android" in text and "Mobi" not in text) or family == "iPad":
        return "Tablet"
    if _MOBILE.search(text):
        return "Mobile"
    return "Desktop" if system in _DESKTOP else "Other"
