"""Inputs that are nearly right: what a corpus holds, cut, joined, repeated and bent."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

LONGEST: Final = 4096
_ODD: Final = (
    b"\x00", b"\n", b"\r\n", b"\x1b[2J", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\xc2\x9b",
    b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"%00", b"%ff", b"\\u0000", b"\\ud800",
    b'"', b"'", b"\\", b"[", b"]", b"{", b"}", b"[[[[[[[[", b"(", b"*", b"**", b"|", b";", b"~",
    b"==", b":", b"::", b"::ffff:", b"%", b"&", b"=", b"?", b"#", b"//", b"../", b"-", b"-1",
    b"0", b"1e999", b"1e-999", b"NaN", b"null", b"true", b"99999999999999999999", b"\xd9\xa3",
    b"0x10", b",", b" ", b"2026-02-30", b"[::1]", b"xn--", b"http://", b"a" * 300,
)  # fmt: skip


def mutated(random: Random, corpus: Sequence[bytes]) -> bytes:
    """Return one of *corpus* after up to six changes, at most `LONGEST` bytes of it."""
    data = bytearray(random.choice(corpus))
    for _ in range(random.randint(0, 6)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((1, 1, 2, 4, 8, 32)))
        change = random.randrange(7)
        if change == 0:
            del data[at:end]
        elif change == 1:
            data[at:at] = random.choice(_ODD)
        elif change == 2:
            data[at:end] = random.choice(_ODD)
        elif change == 3:
            data[at:end] = random.randbytes(end - at)
        elif change == 4:
            data[at:at] = data[at:end] * random.randint(1, 8)
        elif change == 5:
            other = random.choice(corpus)
            begin = random.randint(0, len(other))
            data[at:end] = other[begin : begin + 64]
        elif at < len(data):
            data[at] ^= 1 << random.randrange(8)
    return bytes(data[:LONGEST])
