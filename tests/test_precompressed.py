"""Files are compressed once, and sent under a coding that the client accepts."""

from __future__ import annotations

import gzip
from pathlib import Path

import brotli
import pytest

from analytics.precompressed import CompressedFile, accepted_codings


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        (b"gzip, deflate, br, zstd", {b"gzip", b"br"}),
        (b"GZIP", {b"gzip"}),
        (b"br;q=1.0, gzip;q=0.8", {b"gzip", b"br"}),
        (b"gzip;q=0", set()),
        (b"br ; q=0.000 ,gzip", {b"gzip"}),
        (b"gzip;q=0.001", {b"gzip"}),
        (b"identity", set()),
        (b"", set()),
        (b"xgzip", set()),
    ],
)
def test_a_coding_is_accepted_unless_its_weight_is_zero(header: bytes, codings: set[bytes]) -> None:
    assert accepted_codings([(b"accept-encoding", header)]) == codings


def test_each_coding_holds_the_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "script.js"
    path.write_bytes(b"const greeting = 'hello';\n" * 100)
    file = CompressedFile.read(path)
    plain, coding = file.negotiated([])
    assert (plain, coding) == (path.read_bytes(), None)
    packed, coding = file.negotiated([(b"accept-encoding", b"gzip")])
    assert (gzip.decompress(packed), coding) == (plain, b"gzip")
    packed, coding = file.negotiated([(b"accept-encoding", b"gzip, br")])
    assert (brotli.decompress(packed), coding) == (plain, b"br")
    assert len(packed) < len(plain) / 10
