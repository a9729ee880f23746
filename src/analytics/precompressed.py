"""Files that never change while the server runs, compressed once for all who fetch them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import brotli

CODINGS: Final = (b"br", b"gzip")
"""Content codings offered, the smaller result first."""


@dataclass(frozen=True)
class CompressedFile:
    """The content of a file under each coding of `CODINGS`, and as it is."""

    content: bytes
    compressed: dict[bytes, bytes]
    etag: bytes
    """An entity tag (RFC 9110, 8.8.3), quoted; the same for all codings of the content."""

    @classmethod
    def read(cls, path: Path) -> CompressedFile:
        """Read and compress the file; some 2 ms for each kilobyte. Raises `OSError`."""
        content = path.read_bytes()
        compressed = {
            b"br": brotli.compress(content, quality=11),
            b"gzip": gzip.compress(content, 9, mtime=0),
        }
        etag = b'"%b"' % sha256(content).hexdigest()[:16].encode()
        return cls(content, compressed, etag)

    def negotiated(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes | None]:
        """Return the body for a request with *headers*, and its coding; None for the plain one."""
        accepted = accepted_codings(headers)
        for coding in CODINGS:
            if coding in accepted:
                return self.compressed[coding], coding
        return self.content, None


def accepted_codings(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Return those of `CODINGS` that a request's `Accept-Encoding` accepts (RFC 9110, 12.5.3)."""
    accepted: set[bytes] = set()
    for name, value in headers:
        if name != b"accept-encoding":
            continue
        for item in value.lower().split(b","):
            coding, _, parameters = item.partition(b";")
            weight = parameters.replace(b" ", b"").removeprefix(b"q=")
            if not weight.startswith(b"0") or weight.strip(b"0."):
                accepted.add(coding.strip())
    return accepted.intersection(CODINGS)
