"""A module of the server (ingest, dashboard, admin), as the gate sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from analytics.api_operation import ApiOperation


class Endpoint(Protocol):
    """A bare ASGI application behind one exact path, which bounds what it reads."""

    @property
    def method(self) -> str:
        """The HTTP method that it answers."""

    @property
    def operation(self) -> ApiOperation:
        """What the OpenAPI document says of it."""

    @property
    def charges(self) -> bool:
        """Whether it charges its sender by what arrives; else the gate charges by request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """What a server answers itself, or leaves to other servers."""

    name: str
    """Its name in `serve.modules`."""
    routes: Sequence[BaseRoute] = ()
    """Routed by Starlette, in this order."""
    paths: Mapping[str, Endpoint] = field(default_factory=dict)
    """Exact paths, found by a look-up before any route."""
