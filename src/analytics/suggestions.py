"""Explains an unknown word: names the one that was probably meant, and all known ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

_SHOWN: Final = 60


def unknown(kind: str, sent: object, vocabulary: Iterable[str], more: str = "") -> str:
    """Return the message that *sent* is not a *kind*, with the alternatives; *more* is appended."""
    words = [*vocabulary]
    text = str(sent)[:_SHOWN]
    near = nearest(text, words)
    meant = f"; did you mean {near}?" if near else ";"
    return f"there is no {kind} {text!r}{meant} choose from {', '.join(words)}{more}"


def nearest(sent: str, words: Sequence[str]) -> str:
    """Return the one of *words* that *sent* probably means; empty if none is near."""
    return next(iter(get_close_matches(sent[:_SHOWN], words, n=1)), "")
