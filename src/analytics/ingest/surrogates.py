"""Decodes JSON whose strings contain half a surrogate pair.

`JSON.stringify` writes that for a string that was cut inside an emoji. It is valid JSON (RFC 8259,
section 8.2), but msgspec refuses it because it is not valid Unicode.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from analytics.decoding import ESCAPE, HALF_SURROGATE

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode *body*, with U+FFFD for each half of a pair. Raises what msgspec raises."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        whole = ESCAPE.sub(
            lambda escape: rb"\ufffd" if HALF_SURROGATE.fullmatch(escape[0]) else escape[0], body
        )
        if whole == body:
            raise
        return decoder.decode(whole)
