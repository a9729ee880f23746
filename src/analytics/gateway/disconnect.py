"""Detects that a client has disconnected while its request waits for an answer."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from starlette.types import Message, Receive, Scope

_WITHOUT_BODY: Final = ("GET", "HEAD")


class DisconnectWatch:
    """Stands between a request and its application: `receive` for that, `left` for the queue."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()
        self._whole = asyncio.Event()
        if scope["method"] in _WITHOUT_BODY:
            self._whole.set()

    async def receive(self) -> Message:
        """Return the next message, as the server's own `receive` would."""
        if self._kept:
            return self._kept.popleft()
        message = await self._receive()
        if not message.get("more_body"):
            self._whole.set()
        return message

    async def left(self) -> None:
        """Return when the client has disconnected, noticed only once the body is complete."""
        await self._whole.wait()  # the application reads the body, not we
        while (message := await self._receive())["type"] != "http.disconnect":
            self._kept.append(message)
