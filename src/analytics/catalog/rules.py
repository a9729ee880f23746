"""The values that the settings of a site may have, and how each is spelled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Final, NamedTuple

import msgspec

from analytics import zones
from analytics.errors import Malformed
from analytics.site import Site

MAX_RULES: Final = 500
"""The most that one list may hold."""
MAX_PROPERTIES: Final = 300
"""The most custom properties that the report of one site offers."""
MAX_PROPERTY_CHARS: Final = 300
MAX_RETENTION_DAYS: Final = 36_500
MAX_REVENUE: Final = 10**14
MAX_EVENTS_PER_DAY: Final = 10**12
_NO_PLACE: Final = "Factory"
"""The name in the tz database for a machine whose zone was never set."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_HOSTNAME: Final = re.compile(r"[a-z0-9.*_-]{1,253}|\[[0-9a-f:]+\]")


class ListRule(NamedTuple):
    """The entries that one of a site's lists may hold."""

    allows: Callable[[str], bool]
    """Returns whether an entry, in its usual spelling, is valid."""
    fault: str
    """The message about an entry that is not valid: what to give instead."""
    normal: Callable[[str], str] = str
    """Returns the usual spelling of an entry."""

    def spelled(self, entries: Sequence[str]) -> tuple[str, ...]:
        """Return *entries* as stored: stripped, in the usual spelling, without repetitions."""
        normal = (self.normal(entry.strip()) for entry in entries)
        return tuple(dict.fromkeys(entry for entry in normal if entry))

    def wrong(self, entries: Sequence[str]) -> list[str]:
        """Return the *entries*, in their usual spelling, that are not valid."""
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
    """Return *site* with its settings as stored. Raise `Malformed`, naming the invalid one."""
    checked_timezone(site.timezone)
    _check_range("retention_days", site.retention_days, 1, MAX_RETENTION_DAYS)
    _check_range("revenue_ceiling", site.revenue_ceiling, 0, MAX_REVENUE)
    _check_range("events_per_day", site.events_per_day, 1, MAX_EVENTS_PER_DAY)
    shields = {
        name: _checked_list(f"shields.{name}", rule, getattr(site.shields, name))
        for name, rule in SHIELDS.items()
    }
    return msgspec.structs.replace(
        site,
        shields=msgspec.structs.replace(site.shields, **shields),
        other_hostnames=_checked_list("other_hostnames", HOSTNAMES, site.other_hostnames),
        custom_properties=_checked_properties(site.custom_properties),
    )


def _checked_properties(names: Sequence[str]) -> tuple[str, ...]:
    stored = tuple(sorted({name.strip() for name in names} - {""}))
    for name in stored:
        check_text("custom_properties", name, MAX_PROPERTY_CHARS)
    if len(stored) > MAX_PROPERTIES:
        raise Malformed("custom_properties", f"at most {MAX_PROPERTIES}, got {len(stored)}")
    return stored


def checked_timezone(name: str) -> str:
    """Return *name* if it is an IANA time zone. Raise `Malformed`, suggesting the nearest name."""
    if name in zones.names() and name != _NO_PLACE:
        return name
    names = {zone.lower(): zone for zone in zones.names() - {_NO_PLACE}}
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"; the nearest is {names[near[0]]}" if near else "; give one such as Europe/Berlin"
    raise Malformed("timezone", f"{name!r} is not a time zone{hint}")


def check_text(field: str, text: str, most: int) -> None:
    """Raise `Malformed` for a *text* that is longer than *most*, or that no line can show."""
    if len(text) > most:
        raise Malformed(field, f"is longer than {most:,} characters")
    if _CONTROL.search(text):
        raise Malformed(field, "must not contain line breaks or other control characters")


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
