"""Text as we keep it: bounded, and without the characters that no column can hold."""

from __future__ import annotations

import re
from typing import Final

_UNSAFE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def clean(text: str, limit: int) -> str:
    """*text* without control characters and lone surrogates, at most *limit* characters long."""
    if not text:
        return ""
    if not text.isprintable():
        text = _UNSAFE.sub("", text)
    return text if len(text) <= limit else text[:limit]
