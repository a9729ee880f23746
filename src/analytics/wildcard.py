"""Rules in which `*` stands for any text: pages and hostnames, as a site's owner writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


class Wildcard:
    """Text in which `*` stands for any text, matched without ever going back: a visitor chooses
    the path, and must not be able to choose one that takes long."""

    def __init__(self, pattern: str) -> None:
        self._first, *rest = re.split(r"\*+", pattern)
        self._last = rest.pop() if rest else None
        self._between = rest

    def fits(self, text: str) -> bool:
        """Whether the whole of *text* is of this form."""
        if self._last is None:
            return text == self._first
        at, end = len(self._first), len(text) - len(self._last)
        if at > end or not (text.startswith(self._first) and text.endswith(self._last)):
            return False
        for piece in self._between:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


def wildcards(patterns: Iterable[str]) -> tuple[Wildcard, ...]:
    """Return *patterns*, without the blanks around them, ready to be matched."""
    return tuple(Wildcard(pattern.strip()) for pattern in patterns)


def admits(hostnames: tuple[str, ...], hostname: str) -> bool:
    """Return whether one of *hostnames*, in which `*` stands for any text, is *hostname*."""
    return any(pattern.fits(hostname) for pattern in _hostnames(hostnames))


@lru_cache(maxsize=4096)
def _hostnames(patterns: tuple[str, ...]) -> tuple[Wildcard, ...]:
    return wildcards(name.strip().removeprefix("www.") for name in patterns)
