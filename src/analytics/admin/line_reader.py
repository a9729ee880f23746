"""Lines of a byte stream that may be gzipped."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

from analytics.errors import Malformed

MAX_LINE_BYTES: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield each line without its line ending.

    Raise `Malformed` for damaged or truncated gzip, and for a line over `MAX_LINE_BYTES`.
    """
    rest = b""
    async for piece in _plain(pieces):
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise Malformed("file", f"a line is longer than {MAX_LINE_BYTES} bytes: no text file")
        for line in whole:
            yield line.removesuffix(b"\r")
    if rest:
        yield rest.removesuffix(b"\r")


async def _plain(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield *pieces*, unpacked if they begin like gzip."""
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= len(_GZIP):
            break
    if not head.startswith(_GZIP):
        yield head
        async for piece in pieces:
            yield piece
        return
    unpacker = Gunzip()
    for plain in unpacker.feed(head):
        yield plain
    async for piece in pieces:
        for plain in unpacker.feed(piece):
            yield plain
    unpacker.finish()


class Gunzip:
    """Unpacks gzip of one or more members, in pieces of bounded size."""

    def __init__(self, piece_bytes: int = 1 << 18) -> None:
        self._piece_bytes = piece_bytes
        self._member = zlib.decompressobj(wbits=31)
        self._fed = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces that *data* unpacks to. Raise `Malformed` if it is damaged."""
        out = []
        try:
            while data:
                if self._member.eof:
                    self._member = zlib.decompressobj(wbits=31)
                self._fed = True
                plain = self._member.decompress(data, self._piece_bytes)
                if plain:
                    out.append(plain)
                data = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as exc:
            raise Malformed("file", f"its gzip is damaged: {exc}") from exc
        return out

    def finish(self) -> None:
        """Raise `Malformed` if the input was cut short."""
        if self._fed and not self._member.eof:
            raise Malformed("file", "its gzip ends too early; is the file whole?")
