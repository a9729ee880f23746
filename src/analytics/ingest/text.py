"""Cleans text for storage: bounded, and without characters that control a display."""

from __future__ import annotations

from analytics.printable import stripped


def clean(text: str, limit: int) -> str:
    """Return *text* without the characters that control a display, cut to *limit* characters."""
    return stripped(text)[:limit]
