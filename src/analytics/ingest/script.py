"""`GET /tracker.js`: the script that a page includes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from analytics.api_operation import ApiAnswer, ApiOperation
from analytics.ingest import asgi as http
from analytics.precompressed import CompressedFile

_MAX_AGE: Final = b"public, max-age=3600, stale-while-revalidate=86400"


class ScriptEndpoint:
    """The ASGI application behind `/tracker.js`; it reads the file once."""

    method: Final = "GET"
    charges: Final = False
    operation: Final = ApiOperation(
        summary="The tracker",
        group="Events",
        answers=(ApiAnswer("The script that a page includes.", {"text/javascript": str}),),
    )

    def __init__(self, path: Path) -> None:
        self._file = CompressedFile.read(path)
        self._headers: tuple[http.Header, ...] = (
            (b"content-type", b"text/javascript; charset=utf-8"),
            (b"cache-control", _MAX_AGE),
            (b"etag", self._file.etag),
            (b"vary", b"accept-encoding"),
            (b"x-content-type-options", b"nosniff"),
            *http.CORS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the script, or 304 where the browser's copy is still good."""
        if scope["method"] == "OPTIONS":
            return await http.preflight(scope, send)
        if scope["method"] not in ("GET", "HEAD"):
            return await http.refuse(scope, send, http.wrong_method("GET, HEAD"))
        is_current = any(
            name == b"if-none-match" and self._file.etag in value
            for name, value in scope["headers"]
        )
        if is_current:
            await send({"type": "http.response.start", "status": 304, "headers": self._headers})
            return await send({"type": "http.response.body", "body": b""})
        content, coding = self._file.negotiated(scope["headers"])
        encoding = () if coding is None else ((b"content-encoding", coding),)
        return await http.answer(send, 200, content, (*self._headers, *encoding))
