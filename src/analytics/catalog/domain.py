"""The canonical spelling of a site's domain, and its readable form."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from typing import Final

import can_ada

from analytics import parsing
from analytics.errors import Malformed

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_CHARS: Final = 253
_JAPANESE: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
_PORTS: Final = {"http": 80, "https": 443}
TAKEN: Final = frozenset(
    {
        "account",
        "admin",
        "api",
        "favicon.ico",
        "health",
        "js",
        "login",
        "logout",
        "mcp",
        "metrics",
        "pixel.gif",
        "setup",
        "share",
        "sites",
        "static",
        "tracker.js",
    }
)
"""First parts of the server's own paths. A site's pages lie beside them, under its domain."""
FILE_TYPES: Final = frozenset({"json", "php", "txt", "xml", "yaml", "yml"})
"""Extensions of files that bots request from every server; none is a top-level domain."""


def normal(text: str) -> str:
    """Return *text* as stored rows name the site: `host` or `host:port`, in lower-case ASCII.

    A leading `www.` is dropped. International names are encoded as browsers send them
    (`bücher.example` → `xn--bcher-kva.example`). The address of a home page stands for its host.
    Raise `Malformed` for anything else: an address with a path, a text with a space.
    """
    name = text.strip().lower()
    scheme, separator, rest = name.partition("://")
    if separator and scheme not in _PORTS:
        raise Malformed("domain", f"{name[:80]!r} is not the address of a web site")
    host, cut, path = _split(rest if separator else name)
    if not host:
        raise Malformed("domain", "it is empty; give a host such as example.com")
    if path or (cut and cut != "/"):
        raise Malformed(
            "domain", f"{name[:80]!r} has a path; a site is a whole host, so give the host alone"
        )
    while host.startswith("www."):
        host = host.removeprefix("www.")
    host, colon, port = host.partition(":")
    number = parsing.port(port)
    if colon and number is None:
        raise Malformed("domain", f"{name!r} has no valid port after the colon")
    if colon and number == _PORTS.get(scheme if separator else ""):
        colon = ""  # browsers leave it out
    domain = _host(host.rstrip("."), name) + (f":{number}" if colon else "")
    if domain in TAKEN:
        raise Malformed(
            "domain",
            f"/{domain} is an address of this server; give the site's whole host name, such as"
            f" {domain}.example.com, or its port too, such as {domain}:80",
        )
    if domain.rpartition(".")[2] in FILE_TYPES:
        raise Malformed(
            "domain", f"{domain} is the name of a file; give a host such as example.com"
        )
    return domain


def shown(domain: str) -> str:
    """Return *domain* as people read it: `bücher.example` for `xn--bcher-kva.example`.

    A label stays encoded unless all its letters are of one script: a mixture of scripts may
    imitate another name.
    """
    host, colon, port = domain.partition(":")
    labels = []
    for label in host.split("."):
        readable = label
        if label.startswith("xn--"):
            with suppress(UnicodeError):
                readable = label.removeprefix("xn--").encode("ascii").decode("punycode")
            scripts = {_script(character) for character in readable} - {""}
            if len(scripts) != 1 and not scripts <= _JAPANESE:
                readable = label
        labels.append(readable)
    return ".".join(labels) + colon + port


def _script(character: str) -> str:
    """Return the script of a letter, the first word of its Unicode name; "" for a digit or `-`."""
    if character in "-0123456789":
        return ""
    return unicodedata.name(character, "unknown").partition(" ")[0]


def _split(text: str) -> tuple[str, str, str]:
    """Return the host of *text*, the character that ends it, and the rest."""
    end = re.search(r"[/?#]", text)
    if end is None:
        return text, "", ""
    return text[: end.start()], end[0], text[end.end() :]


def _host(host: str, name: str) -> str:
    fault = Malformed("domain", f"{name!r} is not a host name; give one such as example.com")
    if len(host) < 2 or re.search(r"[\s@\\%<>\"'`]", host):
        raise fault
    if host.isdigit():
        raise Malformed("domain", f"{name!r} is a number, which is how sites are counted")
    try:
        ascii_host = str(can_ada.parse(f"http://{host}/").hostname)
    except (ValueError, TypeError):  # the latter for what cannot be written as UTF-8
        raise fault from None
    labels = ascii_host.split(".")
    if len(ascii_host) > _MAX_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise fault
    return ascii_host
