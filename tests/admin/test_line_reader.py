"""Lines come out the same, however the bytes come in."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.admin.line_reader import MAX_LINE_BYTES, lines
from analytics.errors import Malformed


async def _from(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _read(pieces: Sequence[bytes]) -> list[bytes]:
    async def read() -> list[bytes]:
        return [line async for line in lines(_from(pieces))]

    return asyncio.run(read())


def _cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


TEXTS = st.lists(st.binary().map(lambda b: b.replace(b"\n", b"").rstrip(b"\r")))
CUTS = st.lists(st.integers(0, 40))


@given(TEXTS, CUTS)
def test_plain_text_may_be_cut_anywhere(texts: list[bytes], sizes: list[int]) -> None:
    data = b"# plain\n" + b"".join(text + b"\n" for text in texts)
    assert _read(_cut(data, sizes)) == [b"# plain", *texts]


@given(TEXTS, CUTS, st.integers(0, 5))
def test_gzip_of_several_members_reads_as_one(
    texts: list[bytes], sizes: list[int], at: int
) -> None:
    first, second = (b"".join(t + b"\n" for t in part) for part in (texts[:at], texts[at:]))
    data = gzip.compress(first) + gzip.compress(second)
    assert _read(_cut(data, sizes)) == texts


def test_the_last_line_needs_no_end_and_windows_ends_are_ends() -> None:
    assert _read([b"a\r\nb"]) == [b"a", b"b"]
    assert _read([]) == []


def test_a_gzip_cut_short_is_no_success() -> None:
    data = gzip.compress(b"line\n" * 1000)
    with pytest.raises(Malformed, match="ends too early"):
        _read([data[:-9]])


def test_a_damaged_gzip_is_refused() -> None:
    data = bytearray(gzip.compress(b"line\n" * 1000))
    data[20] ^= 0xFF
    with pytest.raises(Malformed, match="damaged"):
        _read([bytes(data)])


def test_what_has_no_lines_is_not_read_into_memory() -> None:
    with pytest.raises(Malformed, match="no text file"):
        _read([b"x" * MAX_LINE_BYTES, b"x" * 10])
