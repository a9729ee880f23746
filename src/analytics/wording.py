"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: `1 event`, `312,004 events`, `2 people`."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
