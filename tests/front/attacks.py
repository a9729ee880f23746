"""Requests that two readers may understand in two ways, or that are none."""

from __future__ import annotations

from typing import Final


def _request(*lines: bytes, body: bytes = b"", first: bytes = b"POST /api/event HTTP/1.1") -> bytes:
    return b"\r\n".join([first, b"Host: front.example", *lines]) + b"\r\n\r\n" + body


def _get(*lines: bytes) -> bytes:
    return _request(*lines, first=b"GET /api/whoami HTTP/1.1")


CHUNKED: Final = b"Transfer-Encoding: chunked"
END: Final = b"0\r\n\r\n"
SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: front.example\r\n\r\n"

REFUSED: Final = {
    "CL.TE": _request(b"Content-Length: 6", CHUNKED, body=b"0\r\n\r\nG"),
    "TE.CL": _request(
        CHUNKED, b"Content-Length: 4", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    ),
    "TE.TE": _request(CHUNKED, b"Transfer-Encoding: cow", body=END),
    "an unknown encoding": _request(b"Transfer-Encoding: xchunked", body=END),
    "a space before the colon": _request(b"Transfer-Encoding : chunked", body=END),
    "a vertical tab": _request(b"Transfer-Encoding: \x0bchunked", body=END),
    "chunked, then identity": _request(b"Transfer-Encoding: chunked, identity", body=END),
    "gzip, then chunked": _request(b"Transfer-Encoding: gzip, chunked", body=END),
    "identity": _request(b"Transfer-Encoding: identity", b"Content-Length: 2", body=b"{}"),
    "chunks in HTTP/1.0": _request(CHUNKED, body=END, first=b"POST /api/event HTTP/1.0"),
    "two lengths": _request(b"Content-Length: 2", b"Content-Length: 5", body=b"{}   "),
    "a list of lengths": _request(b"Content-Length: 2, 5", body=b"{}   "),
    "a length with a plus": _request(b"Content-Length: +2", body=b"{}"),
    "a negative length": _request(b"Content-Length: -2", body=b"{}"),
    "a hexadecimal length": _request(b"Content-Length: 0x2", body=b"{}"),
    "a length beyond numbers": _request(b"Content-Length: 99999999999999999999999", body=b"{}"),
    "a length with a space in it": _request(b"Content-Length: 2 2", body=b"{}"),
    "a bare line feed in a header": _get(b"X: y\nContent-Length: 2"),
    "a bare carriage return": _get(b"X: y\rContent-Length: 2"),
    "NUL in a value": _get(b"X: a\0b"),
    "NUL in a name": _get(b"X\0: ab"),
    "a header without a colon": _get(b"X ab"),
    "a header without a name": _get(b": ab"),
    "a negative chunk": _request(CHUNKED, body=b"-1\r\nabc\r\n0\r\n\r\n"),
    "a chunk of 0x": _request(CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk beyond numbers": _request(CHUNKED, body=b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": _request(CHUNKED, body=b"2\r\n{}x\r\n0\r\n\r\n"),
    "an empty size of a chunk": _request(CHUNKED, body=b"\r\n{}\r\n0\r\n\r\n"),
    "a long version": _request(first=b"GET /api/whoami HTTP/1.11"),
    "a control character in the method": _request(first=b"GE\x01T /api/whoami HTTP/1.1"),
    "a space in the path": _request(first=b"GET /api/who ami HTTP/1.1"),
    "NUL in the path": _request(first=b"GET /api/\0 HTTP/1.1"),
    "CONNECT": _request(first=b"CONNECT front.example:80 HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    "an endless path": _request(first=b"GET /" + b"a" * 100_000 + b" HTTP/1.1"),
    "an endless header": _get(b"X: " + b"a" * 300_000),
    "headers without end": _get(*[b"X: y"] * 30_000),
}
"""Refused by everyone: an answer of 4xx, or none."""

REPAIRED: Final = {
    "a folded header": _get(b"X: a\r\n Content-Length: 2"),
    "a folded encoding": _request(b"Transfer-Encoding:\r\n chunked", body=END),
    "lines that end in a bare line feed": b"GET /api/whoami HTTP/1.1\nHost: front.example\n\n",
    "chunks that end in a bare line feed": _request(CHUNKED, body=b"2\n{}\n0\n\n"),
    "an extension that ends in a bare line feed": _request(CHUNKED, body=b"2;x\n{}\r\n0\r\n\r\n"),
    "a space behind the size of a chunk": _request(CHUNKED, body=b"2 \r\n{}\r\n0\r\n\r\n"),
    "two hosts": _get(b"Host: other.example"),
    "a version that is not spoken": _request(first=b"GET /api/whoami HTTP/3.0"),
    "no host": b"GET /api/whoami HTTP/1.1\r\n\r\n",
    "an upgrade": _get(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: A"
    ),
    "an upgrade with a body": _request(
        b"Connection: Upgrade", b"Upgrade: x", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED
    ),
    "a trailer that would be a length": _request(CHUNKED, body=b"0\r\nContent-Length: 9\r\n\r\n"),
}
"""Refused, or understood in one way only: never more than one answer."""
