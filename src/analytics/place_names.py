"""English names of countries, and names of regions as ISO 3166-2 has them, by their codes.

Names of countries come from the Unicode CLDR, regions from `data/regions.json`
(`data/regions.NOTICE.txt`). A code without a name keeps itself as its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from babel import Locale

from analytics import zones

_REGIONS: Final = Path(__file__).parent / "data" / "regions.json"


@cache
def countries() -> Mapping[str, str]:
    """Return each country's ISO 3166-1 code with its name."""
    territories = Locale("en").territories
    return {code: territories.get(code, code) for code in zones.countries()}


@cache
def regions() -> Mapping[str, str]:
    """Return each region's ISO 3166-2 code with its name."""
    return msgspec.json.decode(_REGIONS.read_bytes(), type=dict[str, str])


def representatives(names: Mapping[str, str]) -> Mapping[str, str]:
    """Return the codes that share a name with an earlier one, each with the first of that name."""
    firsts: dict[str, str] = {}
    return {
        code: firsts[name] for code, name in names.items() if firsts.setdefault(name, code) != code
    }
