"""The shields as their owner types them: one rule a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Final

from analytics.errors import Malformed
from analytics.site import Shields

MAX_RULES: Final = 500
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_HOSTNAME: Final = re.compile(r"[a-z0-9.*_-]{1,253}|\[[0-9a-f:]+\]")


def read_shields(form: Mapping[str, str]) -> Shields:
    """The rules of the four boxes; raises `Malformed` naming the box and the line."""
    addresses = _lines(form, "addresses")
    for line in addresses:
        try:
            ip_network(line, strict=False)
        except ValueError as exc:
            raise Malformed(
                "addresses", f"{line[:60]!r} is no IP address, and no network like 10.0.0.0/8."
            ) from exc
    countries = _lines(form, "countries")
    for line in countries:
        if not _COUNTRY.fullmatch(line.upper()):
            raise Malformed("countries", f"{line[:60]!r} is no country code of two letters.")
    pages = _lines(form, "pages")
    for line in pages:
        if not line.startswith(("/", "*")):
            raise Malformed("pages", f"{line[:60]!r} does not begin with a slash.")
    hostnames = _lines(form, "hostnames")
    for line in hostnames:
        if not _HOSTNAME.fullmatch(line.lower()):
            raise Malformed(
                "hostnames", f"{line[:60]!r} is no hostname; leave out https:// and paths."
            )
    return Shields(
        addresses=addresses,
        countries=tuple(line.upper() for line in countries),
        pages=pages,
        hostnames=tuple(line.lower() for line in hostnames),
    )


def _lines(form: Mapping[str, str], field: str) -> tuple[str, ...]:
    lines = dict.fromkeys(line.strip() for line in form.get(field, "").splitlines() if line.strip())
    if len(lines) > MAX_RULES:
        raise Malformed(field, f"At most {MAX_RULES} rules, got {len(lines)}.")
    return tuple(lines)
