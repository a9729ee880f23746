"""The language of a browser, as a BCP 47 tag."""

from __future__ import annotations

import re
from typing import Final

from analytics.bounded_cache import bounded_cache
from analytics.ingest.text import clean

_LIMIT: Final = 35
# BCP 47: a language has two or three letters, and more letters and digits behind each hyphen. The
# locales "C", "POSIX" and "en_US.UTF-8", which browsers report as their language, and the wildcard
# "*" are therefore left out.
_TAG: Final = re.compile(r"(?!und\b)[a-z]{2,3}(?:[-_][a-z0-9_-]*)?")


@bounded_cache(1024, longest=64)
def tag(text: str) -> str:
    """Return the language that *text* names, in lower case; "" if it names none."""
    language = clean(text.strip(), _LIMIT).lower()
    return language if _TAG.fullmatch(language) else ""
