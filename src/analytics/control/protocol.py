"""What is said over the socket: a request line and input frames one way, JSON lines the other.

The client sends one line, `{"operation": …, "parameters": {…}}`, then its input as frames: four
bytes of length, big-endian, with that many bytes behind them; a frame of length 0 ends it. The
server answers in lines: any number of `{"progress": [done, total, label]}`, then one
`{"result": …}` or `{"error": {…}}`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from analytics import problem
from analytics.admin.operation_context import Progress
from analytics.errors import UNDECODABLE, AnalyticsError, Unavailable
from analytics.problem import Problem

MAX_REQUEST_BYTES: Final = 1 << 20
MAX_FRAME_BYTES: Final = 1 << 20


class Request(msgspec.Struct, frozen=True):
    """The first line."""

    operation: str
    parameters: msgspec.Raw


class CommandReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the answer; one of the three."""

    progress: tuple[int, int, str] | None = None
    result: msgspec.Raw = msgspec.Raw()
    """Empty when there is none (a union with None is not decoded as raw)."""
    error: Problem | None = None


_REPLY: Final = msgspec.json.Decoder(CommandReply)


def request_line(operation: str, parameters: bytes) -> bytes:
    """The line that asks for *operation*."""
    return msgspec.json.encode(Request(operation, msgspec.Raw(parameters))) + b"\n"


def frame(data: bytes) -> bytes:
    """*data* as one frame; empty data ends the input."""
    return len(data).to_bytes(4, "big") + data


def progress_line(progress: Progress) -> bytes:
    """The line that tells how far the operation is."""
    told = (progress.done, progress.total, progress.label)
    return msgspec.json.encode(CommandReply(progress=told)) + b"\n"


def result_line(result: bytes) -> bytes:
    """The last line, when all went well."""
    return b'{"result":' + result + b"}\n"


def error_line(error: AnalyticsError) -> bytes:
    """The last line, when it did not."""
    return msgspec.json.encode(CommandReply(error=problem.describe(error))) + b"\n"


def reply(line: bytes) -> CommandReply:
    """Understand a line of the answer."""
    try:
        return _REPLY.decode(line)
    except UNDECODABLE as exc:
        raise Unavailable("the server's answer cannot be understood; try again") from exc
