"""Which time zones exist."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from analytics import zones
from analytics.errors import Malformed

_NO_PLACE: Final = "Factory"


def checked(name: str) -> str:
    """*name* when it is an IANA time zone; `Malformed`, naming the nearest, when it is not."""
    if name in zones.names() and name != _NO_PLACE:
        return name
    known = {zone.lower(): zone for zone in zones.names() - {_NO_PLACE}}
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"; the nearest is {known[near[0]]}" if near else "; give one such as Europe/Berlin"
    raise Malformed("timezone", f"{name!r} is not a time zone{hint}")
