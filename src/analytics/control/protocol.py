"""The protocol of the control socket: a request line and input frames, then JSON lines back.

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
    """A line of the reply: progress, result or error."""

    progress: tuple[int, int, str] | None = None
    result: msgspec.Raw = msgspec.Raw()
    """Empty if there is none (msgspec decodes no union with None as raw)."""
    error: Problem | None = None


_REPLY: Final = msgspec.json.Decoder(CommandReply)


def request_line(operation: str, parameters: bytes) -> bytes:
    """Return the line that requests *operation*."""
    return msgspec.json.encode(Request(operation, msgspec.Raw(parameters))) + b"\n"


def frame(data: bytes) -> bytes:
    """Return *data* as one frame; an empty frame ends the input."""
    return len(data).to_bytes(4, "big") + data


def progress_line(progress: Progress) -> bytes:
    """Return a line with the operation's progress."""
    fields = (progress.done, progress.total, progress.label)
    return msgspec.json.encode(CommandReply(progress=fields)) + b"\n"


def result_line(result: bytes) -> bytes:
    """Return the last line of a successful operation."""
    return b'{"result":' + result + b"}\n"


def error_line(error: AnalyticsError) -> bytes:
    """Return the last line of a failed operation."""
    return msgspec.json.encode(CommandReply(error=problem.describe(error))) + b"\n"


def reply(line: bytes) -> CommandReply:
    """Decode a line of the reply. Raise `Unavailable` if it is malformed."""
    try:
        return _REPLY.decode(line)
    except UNDECODABLE as exc:
        raise Unavailable("the server's answer cannot be understood; try again") from exc
