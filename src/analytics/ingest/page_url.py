"""Parses a page's URL into hostname, path and campaign tags, and cleans its referrer.

Paths are kept as sent, percent-encoding and case included; only hosts are normalised, by the
rules that browsers follow (WHATWG).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import can_ada

from analytics import bounds
from analytics.bounded_cache import bounded_cache
from analytics.errors import Malformed
from analytics.ingest import hostnames
from analytics.ingest.text import clean
from analytics.pipeline import suffix

_PATH_LIMIT: Final = 2000
_TAG_LIMIT: Final = 255
_NO_HOST: Final = "(none)"
# RFC 3986, appendix B, with the parts that we need.
_URL: Final = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.\-]*):)?(?://([^/?#\\]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL
)
# With all that browsers take for the slashes of `https://`.
_LINK: Final = re.compile(
    r"\s*(https?:[/\\]*|[a-z][a-z0-9+.\-]*:[/\\]{2,}|[/\\]{2,})?(?(1)(?:[^/?#\\]*@)?)"
    r"([^?#]*)(\?[^#]*)?",
    re.IGNORECASE,
)
_PLACE: Final = re.compile("[^?#]*")
_FEW_SLASHES: Final = re.compile("(https?:)/?(?!/)", re.IGNORECASE)
_BEGIN: Final = re.compile("[/?#:]")
"""Where the host ends that stands at the beginning."""
_USUAL_PORT: Final = re.compile(":(?:80|443)$")
# Where the query of a `#fragment` begins: with its `?`, else with its first name=value, as
# `#access_token=…`, `#/shop&token=…`, `#/shop/1;token=…` and `#/signed/in#access_token=…` have it.
_FRAGMENT_QUERY: Final = re.compile(r"^(!?/?)(?=[^=&;#?/]+=)|\?|[&;#](?=[^=&;#?/]+=)")
_WEB: Final = frozenset({"http", "https"})
_FILE: Final = "file"
_ANDROID: Final = ("/android_asset/", "/android_res/")
"""The folder of an Android app's files, the same on every device."""
_APPS: Final = frozenset({"android-app", "ios-app"})
_CLICK_IDS: Final = (
    "gclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "fbclid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "dclid",
    "yclid",
)


class PageUrl(NamedTuple):
    """The parts of a page's URL that are stored."""

    hostname: str
    path: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_content: str
    utm_term: str
    click_id: str
    app_scheme: str = ""
    """Of the address of an app's page (`app://com.example`), whose host is no place on the web."""


@bounded_cache(8192)
def parse(url: str, *, hash_mode: bool = False) -> PageUrl:
    """Parse *url*. Raises `Malformed` for the field `url` when it is not a page's address."""
    match = _URL.fullmatch(_bare(url))
    if match is None or not match[0]:
        raise Malformed("url", "it is empty; send the page's full address")
    scheme, authority, path, query, fragment = match.groups()
    is_file = (scheme or "").lower() == _FILE
    # Those of mail, telephones and scripts name no host. With a dot it is a host before its port.
    if (
        scheme
        and authority is None
        and not is_file
        and scheme.lower() not in _WEB
        and "." not in scheme
    ):
        raise Malformed(
            "url",
            f"{scheme}: addresses are not pages of a site; send one of http, https or an app",
        )
    hostname = _NO_HOST
    if authority:
        host = _host(scheme.lower() if scheme else "https", authority)
        if host is None:
            raise Malformed("url", f"{clean(authority, 80)!r} is not a valid host")
        hostname = host
    if not path.startswith("/"):
        path = "/" + path
    if is_file and not path.startswith(_ANDROID):
        # Its folders, and the computer that shares it, name their owner. What is left is the same
        # for everybody who opens the page.
        hostname, scheme, path = _NO_HOST, "", path[max(path.rfind("/"), path.rfind("\\")) :]
        path = "/" + path[1:]
    tags = _tags(query) if query else {}
    if hash_mode and fragment:
        route, query = _routed(fragment)
        path = f"{path}#{route}" if route else path
        tags = {**_tags(query), **tags}
    return PageUrl(
        hostname=hostname,
        path=clean(path, _PATH_LIMIT),
        utm_source=tags.get("utm_source") or tags.get("source") or tags.get("ref") or "",
        utm_medium=tags.get("utm_medium", ""),
        utm_campaign=tags.get("utm_campaign", ""),
        utm_content=tags.get("utm_content", ""),
        utm_term=tags.get("utm_term", ""),
        click_id=next((kind for kind in _CLICK_IDS if kind in tags), ""),
        app_scheme=scheme[:40] if scheme and authority and scheme.lower() not in _WEB else "",
    )


@bounded_cache(8192)
def referrer(sent: str, hostname: str, domain: str) -> str:
    """Return *sent* as it is stored: host/path without scheme, `www.` and query.

    Return "" without one, if it cannot be parsed, if it is not on the internet (`localhost`, an
    address, a file), or if it is the site itself: *hostname* is that of the page, *domain* the
    site's. Apps name themselves as `android-app://com.example`.
    """
    match = _URL.fullmatch(_bare(sent))
    if match is None or not match[2]:
        return ""
    scheme = (match[1] or "https").lower()
    host = _host(scheme, match[2])
    if host is None or host in (hostname, domain) or host.endswith("." + domain):
        return ""
    if scheme not in _APPS and (
        scheme not in _WEB or suffix.registered(host) is None or hostnames.is_local(host)
    ):
        return ""
    return clean(host + match[3].rstrip("/"), _PATH_LIMIT)


def with_scheme(url: str, domains: Iterable[str]) -> str:
    """Return *url*, with `https://` in front where it begins with the host of one of *domains*.

    What else has no scheme is a path.
    """
    if "//" in url:
        return url
    bare = _bare(url)
    host = _BEGIN.split(bare, maxsplit=1)[0].lower().removeprefix("www.")
    for domain in domains:
        named = domain.lower()
        own = _BEGIN.split(named.partition("://")[2] or named, maxsplit=1)[0]
        own = own.removeprefix("www.").rstrip(".")
        if "." in own and (host == own or host.endswith(f".{own}")):
            return f"https://{bare}"
    return url


def host_and_port(url: str) -> str:
    """Return the host of *url* in lower case, and a port that is not the default; "" if none."""
    match = _URL.fullmatch(_bare(url))
    if match is None or not match[2]:
        return ""
    return _USUAL_PORT.sub("", match[2].rpartition("@")[2].lower())


def _routed(fragment: str) -> tuple[str, str]:
    """Return the path and the query in *fragment*, which are cleaned like those of a URL."""
    begin = _FRAGMENT_QUERY.search(fragment)
    if begin is None:
        return fragment, ""
    return fragment[: begin.start()] + (begin[1] or ""), fragment[begin.end() :]


def _bare(url: str) -> str:
    """Return *url* without what browsers ignore, too: control characters, and space around it.

    With the slashes that they read in it: `https:\\\\h.example\\a` is a page of `h.example`.
    """
    bare = clean(url, len(url)).strip()
    if "\\" in bare:
        bare = _PLACE.sub(lambda place: place[0].replace("\\", "/"), bare, count=1)
    return _FEW_SLASHES.sub(r"\1//", bare, count=1) if _FEW_SLASHES.match(bare) else bare


def _host(scheme: str, authority: str) -> str | None:
    """Return the host in *authority*; or an app's number, which looks like an address."""
    if authority.isdigit() and authority.isascii() and scheme not in _WEB:
        return authority[:255]
    return _hostname(authority)


@bounded_cache(4096, longest=255)
def _hostname(authority: str) -> str | None:
    """Return the normalised host of *authority*; None when it is not a host.

    Without its port, `www.` and the dot of a fully qualified name, which names the same host.
    """
    try:
        host: str = can_ada.parse(f"http://{authority}/").hostname
    except ValueError:
        return None
    host = host.removeprefix("www.")
    return (host.removesuffix(".") or host)[:255] or None  # apps are at app://.


def fields(query: str) -> list[tuple[str, str]]:
    """Return the fields of a query string, up to the limit."""
    read = "&".join(query.split("&", bounds.QUERY_FIELDS)[: bounds.QUERY_FIELDS])
    return parse_qsl(read, errors="replace")


def _tags(query: str) -> dict[str, str]:
    """Return the first non-empty value of each name, in lower case, of a query string."""
    tags: dict[str, str] = {}
    for name, value in fields(query):
        if value:
            tags.setdefault(name.lower(), clean(value.strip(), _TAG_LIMIT))
    return tags


def link(address: str, *, query: bool = False) -> str:
    """Return *address* with its origin, its path, and its query string if *query* is given, only.

    What else a link carries may be a secret of others: a signature, a token, a password.
    """
    match = _LINK.match(address)
    if match is None:
        return address
    return (match[1] or "") + match[2] + ((match[3] or "") if query else "")
