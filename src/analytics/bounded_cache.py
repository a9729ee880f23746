"""A cache that is bounded in bytes too, for functions of text that strangers choose.

`functools.lru_cache` bounds the number of entries, not the size of their keys: ten thousand headers
of 60 kB are 600 MB. Long text is rare, so its result is computed anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, Final, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", str, bytes)

LONGEST: Final = 512
"""Characters of the longest text whose result is kept."""


def bounded_cache(
    entries: int, longest: int = LONGEST
) -> Callable[[Callable[Concatenate[T, P], R]], Callable[Concatenate[T, P], R]]:
    """Cache the last *entries* results of calls whose texts have *longest* characters at most."""

    def decorate(function: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R]:
        cached: Callable[..., R] = lru_cache(entries)(function)

        @wraps(function)
        def call(text: T, /, *args: P.args, **kwargs: P.kwargs) -> R:
            size = len(text)
            if not args and not kwargs:  # by far the most calls: an event makes ten of them
                return cached(text) if size <= longest else function(text, *args, **kwargs)
            for each in (*args, *kwargs.values()):
                if isinstance(each, str | bytes):
                    size += len(each)
            if size > longest:
                return function(text, *args, **kwargs)
            return cached(text, *args, **kwargs)

        return cast("Callable[Concatenate[T, P], R]", call)

    return decorate
