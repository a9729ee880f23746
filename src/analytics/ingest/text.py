"""Text as we keep it: bounded, and without what no column can hold and no page should show."""

from __future__ import annotations

from analytics.printable import stripped


def clean(text: str, limit: int) -> str:
    """Return *text* without the characters that steer a display, at most *limit* long."""
    return stripped(text)[:limit]
