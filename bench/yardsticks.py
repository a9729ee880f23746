"""What ingest is measured against: `python bench/yardsticks.py bare|route PORT`."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """(a) An ASGI application that reads the body, and nothing else."""
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def read(request: Request) -> PlainTextResponse:
    """(b) The same as a plain Starlette route."""
    await request.body()
    return PlainTextResponse("ok", 202)


if __name__ == "__main__":
    kind, port = sys.argv[1:]
    route = Starlette(routes=[Route("/api/event", read, methods=["POST"])])
    uvicorn.run(
        bare if kind == "bare" else route,
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
    )
