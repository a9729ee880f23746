"""The one spelling of a site's domain."""

from __future__ import annotations

import re
from typing import Final

import can_ada

from analytics.errors import Malformed

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_CHARS: Final = 253
TAKEN: Final = frozenset(
    {
        "admin",
        "api",
        "favicon.ico",
        "health",
        "js",
        "login",
        "logout",
        "metrics",
        "pixel.gif",
        "setup",
        "sites",
        "static",
        "tracker.js",
    }
)
"""What the server's own addresses begin with; a site's pages lie beside them, under its name."""
FILE_TYPES: Final = frozenset({"json", "php", "txt", "xml", "yaml", "yml"})
"""Endings of files that machines ask every server for, and that are no top-level domains."""


def normal(text: str) -> str:
    """*text* as the rows name the site: lower case, without `www.`, ASCII, `host` or `host:port`.

    International names become what browsers send (`bücher.example` → `xn--bcher-kva.example`).
    Raises `Malformed` for whatever is no host: a scheme, a path, a space, a user.
    """
    name = text.strip().lower()
    for prefix in ("https://", "http://"):
        if name.startswith(prefix):
            rest = name.removeprefix(prefix).rstrip("/")
            raise Malformed("domain", f"give the host alone, without {prefix} (say {rest})")
    if not name:
        raise Malformed("domain", "it is empty; give a host such as example.com")
    if "/" in name or "?" in name or "#" in name:
        raise Malformed("domain", f"{name!r} has a path; give the host alone, such as example.com")
    host, colon, port = name.removeprefix("www.").partition(":")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Malformed("domain", f"{name!r} has no valid port after the colon")
    domain = _host(host.rstrip("."), name) + (f":{int(port)}" if colon else "")
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


def _host(host: str, name: str) -> str:
    fault = Malformed("domain", f"{name!r} is no host name; give one such as example.com")
    if not host or re.search(r"[\s@\\%<>\"'`]", host):
        raise fault
    if host.isdigit():
        raise Malformed("domain", f"{name!r} is a number, which is how sites are counted")
    try:
        ascii_host = str(can_ada.parse(f"http://{host}/").hostname)
    except ValueError:
        raise fault from None
    labels = ascii_host.split(".")
    if len(ascii_host) > _MAX_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise fault
    return ascii_host
