"""Runs the server: its socket, its signals, and a graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import resource
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Final

import anyio.lowlevel
import structlog
import uvicorn
import uvloop

from analytics import __version__, app, dashboard, logs, startup
from analytics.control import socket_server
from analytics.errors import Misconfigured
from analytics.gateway import connection_limits, direct
from analytics.ingest import user_agents
from analytics.maintenance import duties
from analytics.registry import advertised
from analytics.registry.membership import Membership
from analytics.resources import Resources
from analytics.settings import Settings

log = structlog.get_logger()

_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75
_MAX_CONNECTIONS: Final = 20_000
_OTHER_FILES: Final = 500
"""File descriptors that connections leave to everything else."""
_DRAIN_S: Final = 20


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises `Misconfigured` if it can't begin."""
    logs.configure(settings.logs)
    with bound(settings.serve.host, settings.serve.port) as listener:
        uvloop.run(_serve(settings, listener))


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a listening socket. Raise `Misconfigured` if the address is not available."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        raise Misconfigured(f"cannot listen on {host}:{port}: {_listening_fault(exc)}") from exc
    with listener:
        listener.setblocking(False)
        yield listener


def _listening_fault(error: OSError) -> str:
    """Return the fault and the remedy; the error's own text may repeat the address."""
    match error.errno:
        case errno.EADDRINUSE:
            return "choose another port with --port, or stop the program that uses it"
        case errno.EACCES:
            return "only root may use ports below 1024 here; choose another port with --port"
        case errno.EADDRNOTAVAIL:
            return "this machine does not have that address; choose another with --host"
        case _:
            return str(error.strerror or error)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with startup.open_resources(settings) as parts, socket_server.serving(parts):
        if (exposure := parts.folder.exposure(os.geteuid())) is not None:
            log.warning("folder_open_to_others", advice=exposure)
        # Load now what would otherwise delay the first hit or page, and all others with it.
        await asyncio.to_thread(user_agents.warm)
        if "dashboard" in settings.serve.modules:
            await asyncio.to_thread(dashboard.warm)
        await anyio.lowlevel.checkpoint()  # imports its backend, which Starlette's streams use
        most = _connections()
        first_run = not await parts.catalog.people.all()
        setup_token = secrets.token_urlsafe(24) if first_run else None
        application = app.compose(parts, setup_token=setup_token)
        server = _Server(
            uvicorn.Config(
                application.gate,
                http=_protocol(application),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=_BACKLOG,
                limit_concurrency=most,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_DRAIN_S,
            )
        )
        event_loop = asyncio.get_running_loop()
        membership = _membership(parts, application, listener)

        def stop() -> None:
            if application.health.draining:  # asked for the second time
                server.should_exit = server.force_exit = True
            application.health.draining = True
            membership.leave()
            event_loop.call_later(settings.serve.drain_s, setattr, server, "should_exit", True)

        for number in (signal.SIGTERM, signal.SIGINT):
            event_loop.add_signal_handler(number, stop)
        loops = [
            *duties(parts),
            connection_limits.watching(lambda: server.server_state.connections),
        ]
        parts.loops.extend([*(loop.state for loop in loops), membership.loop])
        _announce(listener, setup_token)
        gc.collect()
        # Objects alive now stay alive: collecting garbage among them again only costs pauses.
        gc.freeze()
        # Folding and rendering run in threads: let each keep the GIL for a tenth of a
        # millisecond at most while the event loop waits for it.
        sys.setswitchinterval(0.0001)
        gc.set_threshold(50_000, 20, 50)
        try:
            async with contextlib.AsyncExitStack() as running:
                for loop in loops:
                    await running.enter_async_context(loop)
                await running.enter_async_context(membership)
                if application.assistants is not None:
                    await running.enter_async_context(application.assistants.running())
                await server.serve(sockets=[listener])
        finally:
            gc.unfreeze()
        log.info("draining", records=parts.behind())
        await app.catch_up(parts)
    log.info("stopped")


def _connections() -> int:
    """Return the most connections at a time: as many as the limit of open files allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = _MAX_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < descriptors:
        soft = descriptors if hard == resource.RLIM_INFINITY else min(descriptors, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(soft - _OTHER_FILES, soft // 2)
    return _MAX_CONNECTIONS


def _membership(
    parts: Resources, application: app.Application, listener: socket.socket
) -> Membership:
    """Return the membership that keeps this server listed in the registry."""
    address = advertised.address(parts.settings, listener.getsockname()[:2])
    return Membership(
        parts.registry,
        lambda: app.described(parts, application.health, address),
        heartbeat_s=parts.settings.registry.heartbeat_s,
    )


def _protocol(application: app.Application) -> type[asyncio.Protocol]:
    """Return the protocol class, with the short way for events if this server takes events."""
    if application.gate.takes(direct.PATH):
        return direct.protocol(application.ingest.event, application.uploads, application.senders)
    return connection_limits.protocol(application.uploads, application.senders)


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: a requested stop ends with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _announce(listener: socket.socket, setup_token: str | None) -> None:
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    url = f"http://{shown}:{port}"
    log.info("serving", version=__version__, url=url)
    lines = [f"analytics {__version__} is ready at {url}/"]
    if setup_token is not None:
        lines.append(f"Nobody has an account yet. Create yours: {url}/setup?token={setup_token}")
    print(*lines, sep="\n", file=sys.stdout, flush=True)  # noqa: T201 - for the person who started it
