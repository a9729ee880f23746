"""The gate: the first ASGI application that a request meets, and the one place of its routes.

Paths of the ingest module are found by a look-up and nothing else; everything else is routed by
Starlette. What holds for every request (its id, its log line, what an error looks like) is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics.errors import AnalyticsError, Malformed, TooMany, Unavailable

log = structlog.get_logger()

ErrorPage = Callable[[Request, Exception], Response]
_API: Final = ("/api/", "/health/", "/metrics")


class Gate:
    """Routes by *direct* (exact paths) first, then by *routes*; *error_page* dresses errors."""

    def __init__(
        self,
        direct: Mapping[str, ASGIApp],
        routes: Sequence[BaseRoute],
        error_page: ErrorPage | None = None,
    ) -> None:
        self._direct = dict(direct)
        self._error_page = error_page
        self._app = Starlette(
            routes=list(routes),
            exception_handlers={
                AnalyticsError: self._refused,
                HTTPException: self._refused,
                Exception: self._failed,
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            handler = self._direct.get(scope["path"])
            if handler is not None:
                return await handler(scope, receive, send)
        return await self._app(scope, receive, send)

    async def _refused(self, request: Request, error: Exception) -> Response:
        if isinstance(error, AnalyticsError) and error.status >= 500:
            log.error("request_refused", path=request.url.path, code=error.code, error=str(error))
        if self._error_page is None or request.url.path.startswith(_API):
            return problem(error)
        return self._error_page(request, error)

    async def _failed(self, request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, exc_info=error)
        if self._error_page is None or request.url.path.startswith(_API):
            return problem(error)
        return self._error_page(request, error)


def problem(error: Exception) -> Response:
    """*error* as JSON: ours in its own words, any other without its details."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail, "code": "http"}, error.status_code)
    if not isinstance(error, AnalyticsError):
        said = {"error": "something went wrong here; it was logged", "code": "internal"}
        return JSONResponse(said, 500)
    said = {"error": str(error), "code": error.code}
    if isinstance(error, Malformed):
        said["field"] = error.field
    headers = {}
    if isinstance(error, Unavailable | TooMany):
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    return JSONResponse(said, error.status, headers)
