"""Removes or escapes characters that control a display, in text that strangers sent.

C0 and C1 control characters steer a terminal, as ESC does (U+009B alone begins a command, U+009D
another); bidirectional controls show text in another order than it is in; line and paragraph
separators end a line; lone surrogates cannot be encoded. Joiners stay: Persian and emoji need them.
"""

from __future__ import annotations

import re
from typing import Final

_STEERING: Final = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # Unicode's property Bidi_Control
    "\u2028\u2029"
    "\ud800-\udfff"
)
_UNSAFE: Final = re.compile(f"[{_STEERING}]")


def stripped(text: str) -> str:
    """Return *text* without characters that control a display."""
    return text if text.isprintable() else _UNSAFE.sub("", text)


def escaped(text: str, *, keep: str = "") -> str:
    r"""Return *text* with these characters, but those in *keep*, as JSON escapes (`\u009b`)."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda at: at[0] if at[0] in keep else f"\\u{ord(at[0]):04x}", text)
