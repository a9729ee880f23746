"""Decompresses a request's body: gzip and deflate (zlib), up to a limit.

The first bytes decide, because clients and proxies mislabel: JSON never begins as these codings
do. A body that names a coding and does not begin like one is refused, not read as text.
"""

from __future__ import annotations

import zlib
from codecs import BOM_UTF8
from typing import Final

from starlette.types import Scope

from analytics.errors import Malformed, TooLarge, UnsupportedCoding

_JSON: Final = frozenset(b"{[ \t\r\n")
_GZIP: Final = b"\x1f\x8b"
_NONE: Final = frozenset({b"", b"identity"})
_KNOWN: Final = frozenset({b"gzip", b"x-gzip", b"deflate"})
_EITHER: Final = 47
"""zlib's `wbits` for gzip and zlib alike."""


def plain(scope: Scope, body: bytes, limit: int) -> bytes:
    """Return *body* without its content coding.

    Raises `TooLarge` when the result has more than *limit* bytes, `UnsupportedCoding` for any other
    coding, `Malformed` for a damaged body.
    """
    if not body or body[0] in _JSON:
        return body
    if _is_packed(body):
        content = _inflated(body, limit)
        if content and _is_packed(content):
            raise UnsupportedCoding("the body is packed twice; send it with gzip once")
        return content.removeprefix(BOM_UTF8)
    named = _named(scope)
    if named in _NONE:
        return body.removeprefix(BOM_UTF8)  # which RFC 8259 lets a reader ignore
    if named in _KNOWN:
        raise Malformed("", f"the body is not in the coding {named.decode()} that it names")
    raise UnsupportedCoding(
        f"the body's Content-Encoding {named.decode('latin-1')!r} is not understood here; "
        "send it with gzip, or without a coding"
    )


def _is_packed(body: bytes) -> bool:
    return body.startswith(_GZIP) or _is_zlib(body)


def _is_zlib(body: bytes) -> bool:
    # RFC 1950: the method is 8, and the first two bytes are a multiple of 31.
    return body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _named(scope: Scope) -> bytes:
    codings = (value for name, value in scope["headers"] if name == b"content-encoding")
    return b",".join(codings).strip().lower()


def _inflated(body: bytes, limit: int) -> bytes:
    whole = b""
    try:
        while body:
            member = zlib.decompressobj(_EITHER)
            whole += member.decompress(body, limit + 1 - len(whole))
            if len(whole) > limit:
                raise TooLarge(f"the body is larger than {limit} bytes when it is unpacked")
            if not member.eof:
                raise Malformed("", "the body's coding ends too early; was it cut off?")
            body = member.unused_data
    except zlib.error as exc:
        raise Malformed("", f"the body's coding is damaged: {exc}") from None
    return whole
