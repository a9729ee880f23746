"""Whether somebody is still there, told without taking the body from the application."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import Message, Scope

from analytics.gateway.disconnect import DisconnectWatch

REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
FIRST: Message = {"type": "http.request", "body": b"a", "more_body": True}
LAST: Message = {"type": "http.request", "body": b"b", "more_body": False}
DISCONNECT: Message = {"type": "http.disconnect"}


class Sender:
    """A connection that says what it is told to say."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        for message in messages:
            self.messages.put_nowait(message)

    async def receive(self) -> Message:
        return await self.messages.get()


def scope(method: str) -> Scope:
    return {"type": "http", "method": method}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_asked_without_a_body_and_went_is_gone(method: str) -> None:
    presence = DisconnectWatch(scope(method), Sender([REQUEST, DISCONNECT]).receive)
    await presence.left()
    assert await presence.receive() == REQUEST  # the application misses nothing


async def test_a_body_is_read_by_the_application_alone() -> None:
    sender = Sender([FIRST, LAST])
    presence = DisconnectWatch(scope("POST"), sender.receive)
    leaving = asyncio.create_task(presence.left())
    await asyncio.sleep(0)
    assert [await presence.receive(), await presence.receive()] == [FIRST, LAST]
    assert not leaving.done()
    sender.messages.put_nowait(DISCONNECT)
    await leaving
