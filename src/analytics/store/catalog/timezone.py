"""Which time zones exist."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from analytics.errors import Malformed

_NO_PLACE: Final = frozenset({"localtime", "posixrules", "Factory"})


def checked(name: str) -> str:
    """*name* when it is an IANA time zone; `Malformed`, naming the nearest, when it is not."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        pass
    else:
        if name and name not in _NO_PLACE:
            return name
    zones = {zone.lower(): zone for zone in available_timezones() - _NO_PLACE}
    near = get_close_matches(name.lower(), zones, n=1, cutoff=0.5)
    hint = f"; the nearest is {zones[near[0]]}" if near else "; give one such as Europe/Berlin"
    raise Malformed("timezone", f"{name!r} is no IANA time zone{hint}")
