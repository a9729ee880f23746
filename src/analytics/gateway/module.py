"""What the gate needs of a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send


class Endpoint(Protocol):
    """A bare ASGI application behind one exact path, which bounds what it reads."""

    @property
    def method(self) -> str:
        """The method that it is for."""

    @property
    def charges(self) -> bool:
        """Whether it charges its sender itself, by what comes; else the gate does, by request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""


class Module(Protocol):
    """Something that a server answers for, or leaves to others."""

    @property
    def name(self) -> str:
        """Its name in `serve.modules`."""

    @property
    def paths(self) -> Mapping[str, Endpoint]:
        """What is found by a look-up and nothing else."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """What Starlette routes, in this order."""
