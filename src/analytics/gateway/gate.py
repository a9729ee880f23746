"""The gate: the first ASGI application that a request meets, and the one place of its routes.

What holds for every request is here, in the order in which it happens: its id; how often its
sender may ask; how large its body may be; as whose guest it waits for the store; its route; what
an error looks like; the headers of the answer. Paths of the ingest module are found by a look-up,
and keep limits of their own; all else is routed by Starlette. Who asks, and what they may see, is
decided where the answer is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics import caller, problem, request_id
from analytics.caller import Caller, Party
from analytics.errors import AnalyticsError, Invalid, MethodNotAllowed, NotFound
from analytics.gateway import middleware
from analytics.gateway.disconnect import DisconnectWatch
from analytics.gateway.route_table import RouteLine, table
from analytics.loop_pacing import LoopPacer
from analytics.module import Endpoint, Module

log = structlog.get_logger()

ErrorPage = Callable[[Request, Exception], Response]
Check = Callable[[Scope], None]
"""Raises the error with which to answer a request that is refused."""
Whose = Callable[[Scope], Party]
"""Returns the party of a request, whose concurrent requests share their turns."""
_PROGRAMS: Final = re.compile(
    r"/(api|health|mcp|metrics)(/.*)?|.*\.(json|ya?ml)", re.DOTALL | re.IGNORECASE
)
"""Paths that no person opens: their errors are JSON, not pages."""
_UNCOUNTED: Final = "/health/live"
"""Shows only that the process answers, so monitoring may ask without limit."""
_EXPOSED: Final = ("x-request-id", "retry-after")
_COMPRESS_FROM_BYTES: Final = 500
_COMPRESS_LEVEL: Final = 6


def anything(_: Scope) -> None:
    """Refuse no request."""


def everybody(_: Scope) -> Party:
    """Return the one party of all requests."""
    return Party(None)


class Gate:
    """Serves those of *modules* that are in *serving*; for the others it answers that it does not.

    With *https_only* it sends HSTS. *error_page* renders errors outside the API as pages; pages of
    *cors_origins* may call the API from a browser.
    """

    def __init__(
        self,
        modules: Sequence[Module],
        serving: Collection[str],
        *,
        check: Check = anything,
        party: Whose = everybody,
        max_body_bytes: int = 1 << 20,
        cors_origins: Sequence[str] = (),
        https_only: bool = False,
        error_page: ErrorPage | None = None,
    ) -> None:
        self._always = middleware.HTTPS_ONLY if https_only else ()
        self._modules = modules
        self._serving = frozenset(serving)
        self._check = check
        self._party = party
        self._max_body_bytes = max_body_bytes
        self._error_page = error_page
        self._exact: dict[str, Endpoint] = {}
        self._turnstile = LoopPacer()
        routes: list[BaseRoute] = []
        for module in modules:
            if module.name in self._serving:
                self._exact.update(module.paths)
                routes += module.routes
            else:
                routes += (
                    NotServedHere(route, module.name)
                    for route in (*(Route(path, _nothing) for path in module.paths), *module.routes)
                )
        self._app = Starlette(
            routes=routes,
            exception_handlers={
                AnalyticsError: self._refused,
                HTTPException: self._refused,
                Exception: self._failed,
            },
        )
        # Compressed in one place, events excepted: their answers are shorter than a gzip header.
        # No page repeats what its sender wrote beside a secret that outlives the page, so what an
        # attacker could learn from compressed lengths is nothing that lasts.
        self._pages: ASGIApp = GZipMiddleware(self._app, _COMPRESS_FROM_BYTES, _COMPRESS_LEVEL)
        self._api: ASGIApp = self._pages
        if cors_origins:
            self._api = CORSMiddleware(
                self._pages,
                allow_origins=cors_origins,
                allow_methods=("GET", "POST", "PUT", "DELETE"),
                allow_headers=("*",),  # monitoring adds its own to every request of a page
                expose_headers=_EXPOSED,
                max_age=86_400,
            )

    def table(self) -> list[RouteLine]:
        """Return every route, with the module to which it belongs."""
        return table(self._modules, self._serving)

    def modules(self) -> Sequence[Module]:
        """Return all modules, those too that other servers answer for."""
        return self._modules

    def takes(self, path: str) -> bool:
        """Return whether this server serves the exact *path*."""
        return path in self._exact

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        number = request_id.of(scope)
        with structlog.contextvars.bound_contextvars(request_id=number.decode()):
            named = ((request_id.HEADER, number), *self._always)
            exact = self._exact.get(scope["path"])
            if exact is not None:
                send = middleware.answering(send, named)
                # An endpoint charges for what it accepts, not for what it refuses or explains.
                if not exact.charges or scope["method"] != exact.method:
                    try:
                        self._check(scope)
                    except AnalyticsError as error:
                        return await self._answered(scope, receive, send, error)
                return await exact(scope, receive, send)
            return await self._routed(
                scope,
                receive,
                middleware.staying(middleware.answering(send, named, middleware.UNLESS_SET)),
            )

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        try:
            if path != _UNCOUNTED:
                self._check(scope)
            receive = middleware.bounded(scope, receive, self._max_body_bytes)
        except AnalyticsError as error:
            return await self._answered(scope, receive, send, error)
        await self._turnstile.enter()
        app = self._api if path.startswith("/api/") else self._pages
        presence = DisconnectWatch(scope, receive)
        with caller.on_behalf_of(Caller(self._party(scope), presence.left)):
            return await app(scope, presence.receive, send)

    async def _answered(
        self, scope: Scope, receive: Receive, send: Send, error: AnalyticsError
    ) -> None:
        response = await self._refused(Request(scope), error)
        await response(scope, receive, send)

    async def _refused(self, request: Request, error: Exception) -> Response:
        if isinstance(error, AnalyticsError) and error.status >= 500:
            log.error("request_refused", path=request.url.path, code=error.code, error=str(error))
        return self._told(request, error)

    async def _failed(self, request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, exc_info=error)
        return self._told(request, error)

    def _told(self, request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            error.headers = {"Allow": ", ".join(self._methods(request))}
        if self._error_page is not None and not _PROGRAMS.fullmatch(request.url.path):
            response = self._error_page(request, error)
            if isinstance(error, HTTPException):
                response.headers.update(error.headers or {})
            return response
        status = problem.status(error)
        if isinstance(error, HTTPException):
            status, error = _translated(error)
        content = problem.encode(error, request_id.of(request.scope).decode())
        return Response(content, status, dict(problem.headers(error)), problem.MEDIA_TYPE)

    def _methods(self, request: Request) -> list[str]:
        """Return the methods of the path of *request*, in order: routes may share a path."""
        methods = {
            method
            for route in self._app.routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        return sorted(methods) or ["GET", "HEAD"]  # a file


def _translated(error: HTTPException) -> tuple[int, AnalyticsError]:
    """Return an error of the web framework as a status and an error of ours."""
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return error.status_code, NotFound("there is nothing at this address")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allow = (error.headers or {}).get("Allow", "")
            return error.status_code, MethodNotAllowed(
                f"this address answers {allow} only", allow=allow
            )
        case other:
            return other, Invalid(error.detail)


async def _nothing(_: Request) -> Response:
    raise NotFound("there is nothing here")


class NotServedHere(BaseRoute):
    """A route of a module that this server does not serve."""

    def __init__(self, route: BaseRoute, module: str) -> None:
        self._route = route
        self._module = module

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match whatever the route matches, with any method."""
        match, child = self._route.matches(scope)
        return (Match.NONE if match is Match.NONE else Match.FULL), child

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer that this server does not serve the module."""
        raise NotFound(
            f"this server does not answer for {self._module} (serve.modules); ask one that does"
        )
