"""What people call the codes in the rows: countries, languages, time zones.

Countries and time zones are those of the tz database that the program carries; names are CLDR's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from babel import Locale
from babel.core import UnknownLocaleError

from analytics import zones
from analytics.bounded_cache import bounded_cache

_ENGLISH: Final = Locale("en")


@cache
def countries() -> Mapping[str, str]:
    """Each country's code with its name."""
    return {code: _ENGLISH.territories.get(code, code) for code in zones.countries()}


def country(code: str) -> str:
    """The name of the country *code*, which is its own name where nobody knows it."""
    return countries().get(code, code)


def countries_like(text: str) -> tuple[str, ...]:
    """The codes of the countries whose name has *text* in it, or which *text* is the code of."""
    wanted = text.strip().casefold()
    return tuple(
        code
        for code, name in countries().items()
        if wanted == code.casefold() or (len(wanted) > 2 and wanted in name.casefold())
    )


def languages_like(text: str) -> tuple[str, ...]:
    """The codes of the languages whose name has *text* in it."""
    wanted = text.strip().casefold()
    if len(wanted) < 3:
        return ()
    return tuple(
        code for code, name in _ENGLISH.languages.items() if wanted in str(name).casefold()
    )


def country_code(text: str) -> str:
    """The code of the country that *text* names, by its code or its name; else *text* itself."""
    wanted = text.strip().casefold()
    for code, name in countries().items():
        if wanted in (code.casefold(), name.casefold()):
            return code
    return text


@bounded_cache(1024, longest=64)
def language(code: str) -> str:
    """The name of the language *code* (`pt-BR`: Brazilian Portuguese)."""
    try:
        return Locale.parse(code, sep="-").get_display_name(_ENGLISH) or code
    except (ValueError, UnknownLocaleError):
        return code


def timezones() -> Sequence[str]:
    """The time zones to choose from: UTC, then one name for each zone of each country."""
    return ("Etc/UTC", *zones.places())


def timezone_of(text: str) -> str:
    """The time zone that *text* means: its name in any case, or the city in it alone.

    What means none is given back as it is.
    """
    wanted = "_".join(text.split()).casefold()
    if wanted in ("utc", "etc/utc"):
        return "Etc/UTC"
    same = [zone for zone in timezones() if zone.casefold() == wanted]
    ending = [zone for zone in timezones() if zone.casefold().endswith(f"/{wanted}")]
    meant = same or ending
    return meant[0] if len(meant) == 1 else text.strip()
