"""The job's port: how the job is, and what it answers replicas.

Served as everything else here is: with bounds on a sender's time, on the size of what it sends,
and on how many may send at once.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import anyio
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from analytics import problem
from analytics.background import LoopState
from analytics.errors import AnalyticsError, Misconfigured
from analytics.gateway import connection_limits
from analytics.gateway.metrics import check_near
from analytics.ingest import asgi
from analytics.job.metrics import JobMetrics
from analytics.job.query.http import MAX_QUESTION_BYTES, QueryEndpoint
from analytics.store.replica.remote_query_client import PATH

Fault = Callable[[], str | None]

_MAX_CONNECTIONS: Final = 128
"""Replicas ask eight questions each at once, and somebody looks at the metrics."""
_STOP_S: Final = 5.0
"""How long the job's end waits for answers under way."""


@contextmanager
def serving(
    host: str,
    port: int,
    figures: JobMetrics,
    *,
    fault: Fault,
    alarms: Mapping[str, Fault],
    loops: Sequence[LoopState] = (),
    replies: QueryEndpoint,
) -> Iterator[int]:
    """Answer in a thread while the block runs; yield the port.

    With a *fault* the job is not ready. An alarm is shown, and leaves it ready.
    """
    try:
        listener = socket.create_server((host, port), backlog=_MAX_CONNECTIONS)
    except OSError as exc:
        raise Misconfigured(
            f"cannot listen on port {port} of {host}: {exc.strerror or exc}. Choose another port"
            " with spark.port"
        ) from exc
    server = uvicorn.Server(
        uvicorn.Config(
            _application(figures, fault, alarms, loops, replies),
            http=connection_limits.BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=int(_STOP_S),
        )
    )
    thread = threading.Thread(
        target=asyncio.run, args=(_serve(server, listener),), name="port", daemon=True
    )
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(2 * _STOP_S)


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    async with connection_limits.watching(lambda: server.server_state.connections):
        await server.serve(sockets=[listener])


def _application(
    figures: JobMetrics,
    fault: Fault,
    alarms: Mapping[str, Fault],
    loops: Sequence[LoopState],
    replies: QueryEndpoint,
) -> Starlette:
    async def metrics(request: Request) -> Response:
        check_near(request.scope)
        return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> Response:
        wrong = fault()
        body = {
            "status": "unready" if wrong else "ready",
            "checks": {
                "job": wrong or "ok",
                **{name: alarm() or "ok" for name, alarm in alarms.items()},
            },
            "degraded": {each.name: each.meanwhile for each in loops if each.error},
            "background": {each.name: each.shown() for each in loops},
        }
        return JSONResponse(body, 503 if wrong else 200)

    async def answer(request: Request) -> Response:
        peer = request.client.host if request.client else ""
        # Before a byte of the body is read: a stranger may send any amount.
        replies.check(peer, request.headers.get("authorization", ""))
        body = await asgi.body(request.receive, MAX_QUESTION_BYTES)
        # At the end of the job nobody waits for an answer that takes long.
        content = await anyio.to_thread.run_sync(replies.answer, body, abandon_on_cancel=True)
        return Response(content, media_type="application/msgpack")

    async def refused(_request: Request, error: Exception) -> Response:
        content, status = problem.encode(error), problem.status(error)
        return Response(content, status, dict(problem.headers(error)), problem.MEDIA_TYPE)

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route(PATH, answer, methods=["POST"]),
        ],
        exception_handlers={AnalyticsError: refused, Exception: refused},
    )
