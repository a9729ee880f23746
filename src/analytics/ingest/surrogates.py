"""JSON whose texts hold half a surrogate pair, as `JSON.stringify` writes a text that was cut
inside an emoji. It is JSON (RFC 8259, 8.2), but msgspec refuses it, for it is not Unicode."""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
"""An escape; of two that are a pair of surrogates, both."""
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
