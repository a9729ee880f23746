"""A language, as browsers name it: what stands there and names none is left out."""

from __future__ import annotations

import re
from typing import Final

from analytics.bounded_cache import bounded_cache
from analytics.ingest.text import clean

_LIMIT: Final = 35
# BCP 47: no language has a longer name. So the locales "C" and "POSIX", which browsers under them
# call their language, are none; nor is the "*" of whoever takes any.
_TAG: Final = re.compile(r"(?!und\b)[a-z]{2,3}(?:[-_].*)?")


@bounded_cache(1024, longest=64)
def tag(text: str) -> str:
    """Return the language that *text* names, in lower case; "" if it names none."""
    language = clean(text.strip(), _LIMIT).lower()
    return language if _TAG.fullmatch(language) else ""
