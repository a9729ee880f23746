"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str) -> str:
    """`1 event`, `312,004 events`."""
    return f"{number:,} {one if number == 1 else f'{one}s'}"
