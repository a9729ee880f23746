"""What the settings of a site may say, and how each is spelled: for pages and commands alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Final, NamedTuple

import msgspec

from analytics import zones
from analytics.catalog import timezone as timezones
from analytics.errors import Malformed
from analytics.site import Site

MAX_RULES: Final = 500
"""The most that one list may hold."""
MAX_RETENTION_DAYS: Final = 36_500
MAX_REVENUE: Final = 10**14
_HOSTNAME: Final = re.compile(r"[a-z0-9.*_-]{1,253}|\[[0-9a-f:]+\]")


class ListRule(NamedTuple):
    """What one of a site's lists may hold."""

    allows: Callable[[str], bool]
    fault: str
    """What to say of an entry that it does not allow."""
    normal: Callable[[str], str] = str
    """How an entry is spelled."""

    def spelled(self, entries: Sequence[str]) -> tuple[str, ...]:
        """Return *entries* as they are kept: each once, without blanks around it."""
        normal = (self.normal(entry.strip()) for entry in entries)
        return tuple(dict.fromkeys(entry for entry in normal if entry))

    def wrong(self, entries: Sequence[str]) -> list[str]:
        """Return those of the spelled *entries* that it does not allow."""
        return [entry for entry in entries if not self.allows(entry)]


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


HOSTNAMES: Final = ListRule(
    lambda name: _HOSTNAME.fullmatch(name) is not None,
    "give a hostname alone, without https:// and paths.",
    str.lower,
)
SHIELDS: Final[Mapping[str, ListRule]] = {
    "addresses": ListRule(_is_network, "give an IP address or a network (10.0.0.0/8)."),
    "countries": ListRule(
        lambda code: code in zones.countries(),
        "give the two letters of a country (DE, and GB for the United Kingdom).",
        str.upper,
    ),
    "pages": ListRule(lambda path: path.startswith(("/", "*")), "begin with a slash or *."),
    "hostnames": HOSTNAMES,
}


def checked(site: Site) -> Site:
    """Return *site* with its settings as they are kept. Raise `Malformed`, naming a wrong one."""
    timezones.checked(site.timezone)
    _check_range("retention_days", site.retention_days, 1, MAX_RETENTION_DAYS)
    _check_range("revenue_ceiling", site.revenue_ceiling, 0, MAX_REVENUE)
    shields = {
        name: _checked_list(f"shields.{name}", rule, getattr(site.shields, name))
        for name, rule in SHIELDS.items()
    }
    return msgspec.structs.replace(
        site,
        shields=msgspec.structs.replace(site.shields, **shields),
        other_hostnames=_checked_list("other_hostnames", HOSTNAMES, site.other_hostnames),
    )


def _check_range(field: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise Malformed(field, f"give a whole number from {least} to {most:,}, or nothing")


def _checked_list(field: str, rule: ListRule, entries: Sequence[str]) -> tuple[str, ...]:
    spelled = rule.spelled(entries)
    if wrong := rule.wrong(spelled):
        raise Malformed(field, f"{wrong[0][:60]!r}: {rule.fault}")
    if len(spelled) > MAX_RULES:
        raise Malformed(field, f"at most {MAX_RULES} entries, got {len(spelled)}")
    return spelled
