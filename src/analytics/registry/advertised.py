"""The address at which others reach this server."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from analytics import parsing
from analytics.errors import Misconfigured
from analytics.settings import Settings


def address(settings: Settings, listening: tuple[str, int]) -> str:
    """`host:port` for the registry, of a server that listens at *listening*.

    Raises `Misconfigured` when it can't be told, and must be set.
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
    """The address of this machine on the way to *host*; nothing is sent to find out."""
    try:
        family, kind, *_, there = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(there)
            return str(probe.getsockname()[0])
    except OSError as exc:
        raise Misconfigured(
            f"the address at which others reach this server can't be told (no way to {host}: "
            f"{exc}); set registry.address"
        ) from exc
