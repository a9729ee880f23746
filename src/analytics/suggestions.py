"""Explains an unknown word: names the one that was probably meant, and all known ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_SHOWN: Final = 60


def unknown(kind: str, sent: object, vocabulary: Iterable[str], more: str = "") -> str:
    """Return the message that *sent* is not a *kind*, with the alternatives; *more* is appended."""
    words = [*vocabulary]
    text = str(sent)[:_SHOWN]
    near = get_close_matches(text, words, n=1)
    meant = f"; did you mean {near[0]}?" if near else ";"
    return f"there is no {kind} {text!r}{meant} choose from {', '.join(words)}{more}"
