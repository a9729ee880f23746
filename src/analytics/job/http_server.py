"""The job's HTTP server: health, metrics, and the queries of replicas.

It has the same bounds as the main server: on the time and the size of a request, and on the number
of connections.
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
from analytics.ingest.forwarding import is_direct
from analytics.job.metrics import JobMetrics
from analytics.job.query.http import MAX_QUERY_BYTES, QueryEndpoint
from analytics.store.replica.remote_query_client import PATH

Fault = Callable[[], str | None]

_MAX_CONNECTIONS: Final = 128
"""Each replica sends up to eight queries at once; Prometheus and probes need a few more."""
_STOP_S: Final = 5.0
"""How long a stop waits for requests under way."""


@contextmanager
def serving(
    host: str,
    port: int,
    job_metrics: JobMetrics,
    *,
    fault: Fault,
    alarms: Mapping[str, Fault],
    loops: Sequence[LoopState] = (),
    endpoint: QueryEndpoint,
) -> Iterator[int]:
    """Serve HTTP from a thread while the block runs; yield the bound port.

    `/health/ready` returns 503 while `fault()` gives a reason. It also shows the reasons given by
    *alarms* (named after its checks) and the state of *loops*, which do not make the job unready.
    Raises `Misconfigured` if the port cannot be bound.
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
            _application(job_metrics, fault, alarms, loops, endpoint),
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
        target=asyncio.run, args=(_serve(server, listener),), name="http", daemon=True
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
    job_metrics: JobMetrics,
    fault: Fault,
    alarms: Mapping[str, Fault],
    loops: Sequence[LoopState],
    endpoint: QueryEndpoint,
) -> Starlette:
    async def metrics(request: Request) -> Response:
        check_near(request.scope)
        return Response(generate_latest(job_metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> Response:
        reason = fault()
        body = {
            "status": "unready" if reason else "ready",
            "checks": {
                "job": reason or "ok",
                **{name: alarm() or "ok" for name, alarm in alarms.items()},
            },
            "degraded": {each.name: each.meanwhile for each in loops if each.error},
            "background": {each.name: each.shown() for each in loops},
        }
        return JSONResponse(body, 503 if reason else 200)

    async def answer(request: Request) -> Response:
        peer = request.client.host if request.client else ""
        # Check before reading the body: an unauthorized sender may send any amount.
        authorization = request.headers.get("authorization", "")
        endpoint.check(peer, authorization, direct=is_direct(request.scope))
        body = await asgi.body(request.receive, MAX_QUERY_BYTES)
        # A stop of the job must not wait for a long query.
        content = await anyio.to_thread.run_sync(endpoint.answer, body, abandon_on_cancel=True)
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
