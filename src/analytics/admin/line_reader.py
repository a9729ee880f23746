"""Bytes that come in pieces, gzipped or not, as lines."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

from analytics.errors import Malformed

MAX_LINE_BYTES: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Every line without its end; the last one need not have an end.

    Raises `Malformed` for damaged or cut gzip, for a line beyond `MAX_LINE_BYTES`.
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
    """*pieces*, unpacked when they begin like gzip."""
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
    """Unpacks gzip of one member or several, a bounded piece at a time."""

    def __init__(self, piece_bytes: int = 1 << 18) -> None:
        self._piece_bytes = piece_bytes
        self._member = zlib.decompressobj(wbits=31)
        self._fed = False

    def feed(self, data: bytes) -> list[bytes]:
        """What *data* unpacks to."""
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
        """Say whether anything is missing."""
        if self._fed and not self._member.eof:
            raise Malformed("file", "its gzip ends too early; is the file whole?")
