"""Matches pages and hostnames with patterns in which `*` stands for any text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


class Wildcard:
    """A pattern in which `*` stands for any text, matched without backtracking.

    A visitor chooses the path, and must not be able to choose one that takes long to match.
    """

    def __init__(self, pattern: str) -> None:
        self._first, *rest = re.split(r"\*+", pattern)
        self._last = rest.pop() if rest else None
        self._between = rest

    def fits(self, text: str) -> bool:
        """Return whether the whole of *text* matches."""
        if self._last is None:
            return text == self._first
        at, end = len(self._first), len(text) - len(self._last)
        if at > end or not (text.startswith(self._first) and text.endswith(self._last)):
            return False
        for piece in self._between:
            index = text.find(piece, at, end)
            if index < 0:
                return False
            at = index + len(piece)
        return True


def wildcards(patterns: Iterable[str]) -> tuple[Wildcard, ...]:
    """Return *patterns*, stripped of white space around them, ready to match."""
    return tuple(Wildcard(pattern.strip()) for pattern in patterns)


def admits(hostnames: tuple[str, ...], hostname: str) -> bool:
    """Return whether *hostname* matches one of the patterns *hostnames*."""
    return any(pattern.fits(hostname) for pattern in _hostnames(hostnames))


@lru_cache(maxsize=4096)
def _hostnames(patterns: tuple[str, ...]) -> tuple[Wildcard, ...]:
    return wildcards(name.strip().removeprefix("www.") for name in patterns)
