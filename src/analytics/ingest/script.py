"""`GET /tracker.js`: the script that a page includes."""

from __future__ import annotations

from gzip import compress
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from analytics.errors import MethodNotAllowed
from analytics.ingest import receive as http

_MAX_AGE: Final = b"public, max-age=3600, stale-while-revalidate=86400"


class ScriptEndpoint:
    """The ASGI application behind `/tracker.js`; it reads the file once."""

    method: Final = "GET"

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        etag = b'"%b"' % sha256(self._content).hexdigest()[:16].encode()
        self._etag = etag
        self._compressed = compress(self._content, 9, mtime=0)
        self._headers: tuple[http.Header, ...] = (
            (b"content-type", b"text/javascript; charset=utf-8"),
            (b"cache-control", _MAX_AGE),
            (b"etag", etag),
            (b"vary", b"accept-encoding"),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"x-content-type-options", b"nosniff"),
            *http.CORS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand out the script, or say that the browser's copy is still good."""
        if scope["method"] not in ("GET", "HEAD"):
            return await http.refuse(scope, send, MethodNotAllowed("fetch the script with GET"))
        known = any(
            name == b"if-none-match" and self._etag in value for name, value in scope["headers"]
        )
        if known:
            await send({"type": "http.response.start", "status": 304, "headers": self._headers})
            return await send({"type": "http.response.body", "body": b""})
        if _takes_gzip(scope):
            encoding = (b"content-encoding", b"gzip")
            return await http.answer(send, 200, self._compressed, (*self._headers, encoding))
        return await http.answer(send, 200, self._content, self._headers)


def _takes_gzip(scope: Scope) -> bool:
    return any(
        name == b"accept-encoding" and b"gzip" in value and b"gzip;q=0" not in value
        for name, value in scope["headers"]
    )
