"""Decodes JSON whose strings contain half a surrogate pair.

`JSON.stringify` writes that for a string that was cut inside an emoji. It is valid JSON (RFC 8259,
section 8.2), but msgspec refuses it because it is not valid Unicode.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
"""One escape, or both of a surrogate pair."""
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]..", re.DOTALL)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode *body*, with U+FFFD for each half of a pair. Raises what msgspec raises."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        whole = _ESCAPE.sub(
            lambda escape: rb"\ufffd" if _HALF.fullmatch(escape[0]) else escape[0], body
        )
        if whole == body:
            raise
        return decoder.decode(whole)
