"""Finds the address at which other machines reach this server."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from analytics import parsing
from analytics.errors import Misconfigured
from analytics.settings import Settings


def address(settings: Settings, listening: tuple[str, int]) -> str:
    """Return the `host:port` to register for a server that listens at *listening*.

    Raise `Misconfigured` if it cannot be determined, and must be set.
    """
    if settings.registry.address:
        return settings.registry.address
    host, port = listening
    if ipaddress.ip_address(host).is_unspecified and settings.registry.backend != "none":
        host = _towards(*_registry(settings))
    return parsing.address(host, port)


def _registry(settings: Settings) -> tuple[str, int]:
    if settings.registry.backend == "ignite":
        return parsing.host_and_port(settings.ignite.addresses[0])
    url = urlsplit(settings.eureka.urls[0])
    return url.hostname or "", url.port or 80


def _towards(host: str, port: int) -> str:
    """Return this machine's address on the route to *host*, without sending anything."""
    try:
        family, kind, *_, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except OSError as exc:
        raise Misconfigured(
            f"the address at which other machines reach this server is unknown (no route to {host}:"
            f" {exc}); set registry.address"
        ) from exc
