"""English names of the codes in stored rows: countries, languages, time zones.

Countries and time zones come from the tz database in the package, names from the Unicode CLDR.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from babel import Locale
from babel.core import UnknownLocaleError

from analytics import zones
from analytics.bounded_cache import bounded_cache
from analytics.place_names import countries

_ENGLISH: Final = Locale("en")


def country(code: str) -> str:
    """Return the name of the country *code*, or *code* itself if it is unknown."""
    return countries().get(code, code)


def countries_like(text: str) -> tuple[str, ...]:
    """Return the codes of the countries whose code is *text* or whose name contains it."""
    folded = text.strip().casefold()
    return tuple(
        code
        for code, name in countries().items()
        if folded == code.casefold() or (len(folded) > 2 and folded in name.casefold())
    )


def languages_like(text: str) -> tuple[str, ...]:
    """Return the codes of the languages whose name contains *text* (at least 3 characters)."""
    folded = text.strip().casefold()
    if len(folded) < 3:
        return ()
    return tuple(
        code for code, name in _ENGLISH.languages.items() if folded in str(name).casefold()
    )


def country_code(text: str) -> str:
    """Return the code of the country whose code or name is *text*; else *text* itself."""
    folded = text.strip().casefold()
    for code, name in countries().items():
        if folded in (code.casefold(), name.casefold()):
            return code
    return text


@bounded_cache(1024, longest=64)
def language(code: str) -> str:
    """Return the name of the language *code* (`pt-BR`: Brazilian Portuguese), or *code* itself."""
    try:
        return Locale.parse(code, sep="-").get_display_name(_ENGLISH) or code
    except (ValueError, UnknownLocaleError):
        return code


def timezones() -> Sequence[str]:
    """Return the time zones to choose from: UTC, then one for each zone of each country."""
    return ("Etc/UTC", *zones.places())


def timezone_of(text: str) -> str:
    """Return the time zone that *text* names, in any case and in full or by its city alone.

    Return *text*, stripped, if it names none or several.
    """
    name = "_".join(text.split()).casefold()
    if name in ("utc", "etc/utc"):
        return "Etc/UTC"
    same = [zone for zone in timezones() if zone.casefold() == name]
    ending = [zone for zone in timezones() if zone.casefold().endswith(f"/{name}")]
    meant = same or ending
    return meant[0] if len(meant) == 1 else text.strip()
