"""Parses a user agent: browser, operating system and kind of device, named as in uap-core."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from ua_parser import OS, Parser, UserAgent
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

from analytics import bounds
from analytics.bounded_cache import bounded_cache
from analytics.ingest import bots, machine_names, user_agent_overrides
from analytics.ingest.text import clean
from analytics.ingest.user_agent_overrides import NamedSoftware
from analytics.pipeline import suffix

_CONSOLE: Final = re.compile(r"playstation|nintendo", re.IGNORECASE)
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


class ParsedAgent(NamedTuple):
    """The parts of a User-Agent header; "" for each that is unknown."""

    device: str
    browser: str
    browser_version: str
    os: str
    os_version: str
    bot: str | None
    """Why it counts as a bot; None for a person's browser."""
    shows_mail: bool = False
    """Whether it loads the pictures of an email for its reader."""


@lru_cache(maxsize=1)
def _parser() -> Parser:
    # Building the native matcher takes some 0.7 s: `warm` does it before the first request.
    return Parser(Resolver(load_lazy_builtins()))


def warm() -> None:
    """Build the matchers and tables now, so that the first hit does not wait for them."""
    suffix.registered("example.com")
    parse("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")


@bounded_cache(10_000)
def parse(user_agent: str) -> ParsedAgent:
    """Parse *user_agent*."""
    text = clean(user_agent, bounds.AGENT_CHARS)
    result = _parser().parse(text)
    device = result.device
    spider = device is not None and device.family == "Spider"
    if spider and (text_without_devices := bots.without_devices(text)) != text:
        named = _parser().parse_device(text_without_devices)
        spider = named is not None and named.family == "Spider"
    has_maker = device is not None and device.brand not in (None, "Spider", "Generic")
    bot = bots.why(text, spider=spider, system=result.os is not None or has_maker)
    shows_mail = bots.shows_mail(text)
    # The operating system of a mail proxy is not the reader's.
    proxy = shows_mail and bot is not None
    system = NamedSoftware("") if proxy else _system(text, result.os)
    browser = _browser(text, result.user_agent, system.family)
    if bot is not None and not shows_mail:
        browser = machine_names.name(text, browser)
    family = "" if device is None else device.family
    return ParsedAgent(
        device="Other" if proxy else _device(text, system.family, family),
        browser=browser.family,
        browser_version=browser.version,
        os=system.family,
        os_version=system.version,
        bot=bot,
        shows_mail=shows_mail,
    )


def _system(text: str, parsed: OS | None) -> NamedSoftware:
    if parsed is None:
        return user_agent_overrides.system(text) or NamedSoftware("")
    return NamedSoftware(parsed.family, _version(parsed.major, parsed.minor))


def _browser(text: str, parsed: UserAgent | None, system: str) -> NamedSoftware:
    better = user_agent_overrides.browser(text, parsed.family if parsed else "", system)
    if better is not None or parsed is None:
        return better or NamedSoftware("")
    return NamedSoftware(parsed.family, _version(parsed.major, parsed.minor))


def _version(major: str | None, minor: str | None) -> str:
    if not major:
        return ""
    return f"{major}.{minor}" if minor else major


def _device(text: str, system: str, family: str) -> str:
    if _TV.search(text):
        return "TV"
    if _CONSOLE.search(text):
        return "Other"
    if _TABLET.search(text) or ("Android" in text and "Mobi" not in text) or family == "iPad":
        return "Tablet"
    if _MOBILE.search(text):
        return "Mobile"
    return "Desktop" if system in _DESKTOP else "Other"
