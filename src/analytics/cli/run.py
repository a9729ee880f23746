"""Runs an operation in the server that owns the data folder, or in this process without one."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO, Final, TypeVar

import msgspec

from analytics import problem
from analytics.admin.operation_context import OperationContext, Progress, Report, nothing
from analytics.cli import versions
from analytics.control import protocol, unix_socket
from analytics.data_folder import DataFolder
from analytics.errors import AnalyticsError, FolderInUse, Misconfigured, Unavailable
from analytics.settings import Settings

WAIT_S: Final = 10.0
"""How long to wait for a server to start, or for another command to end."""
_POLL_S: Final = 0.05
_PIECE: Final = 1 << 16

T = TypeVar("T")


class _Program(msgspec.Struct):
    """What every version says of itself in `status`."""

    program: str


def run(
    settings: Settings,
    operation: str,
    request: msgspec.Struct,
    answer: type[T],
    *,
    source: BinaryIO | None = None,
    report: Report = lambda _: None,
    new_folder: bool = False,
) -> T:
    """Run *operation*, and return its result as an *answer*.

    *source* is the input of the operation, if it reads one. It must be unbuffered: a buffer's lock,
    held by a thread that waits for input, would keep the process from ending. Raises
    `Misconfigured` when there is no data folder yet and the operation is not one to begin with
    (*new_folder*).
    """
    folder = DataFolder(settings.data)
    if not new_folder and folder.stamp() is None:
        raise Misconfigured(
            f"{settings.data} is not a data folder yet; start with `analytics site add DOMAIN` or "
            "`analytics serve`, or name another with --data"
        )
    parameters = msgspec.json.encode(request)
    deadline = time.monotonic() + WAIT_S
    while True:
        connection = unix_socket.connect(folder.socket)
        if connection is not None:
            with connection:
                return _asked(folder, connection, operation, parameters, answer, source, report)
        try:
            result = asyncio.run(_here(settings, operation, parameters, source, report))
            return msgspec.json.decode(result, type=answer)
        except FolderInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)


def _asked(
    folder: DataFolder,
    connection: socket.socket,
    operation: str,
    parameters: bytes,
    answer: type[T],
    source: BinaryIO | None,
    report: Report,
) -> T:
    """Return what the server answers. Raise `Misconfigured` when it is of another version."""
    try:
        result = _there(connection, operation, parameters, source, report)
        return msgspec.json.decode(result, type=answer)
    except msgspec.ValidationError as exc:
        raise versions.differ(_version_of(folder)) from exc
    except AnalyticsError as exc:
        if versions.is_misunderstanding(operation, exc):
            raise versions.differ(_version_of(folder)) from exc
        raise


def _version_of(folder: DataFolder) -> str | None:
    """Return the version of the server that owns *folder*; None when it does not say."""
    connection = unix_socket.connect(folder.socket)
    if connection is None:
        return None
    with connection:
        try:
            result = _there(connection, "status", b"{}", None, lambda _: None)
            return msgspec.json.decode(result, type=_Program).program
        except (AnalyticsError, msgspec.MsgspecError):
            return None


async def _here(
    settings: Settings,
    operation: str,
    parameters: bytes,
    source: BinaryIO | None,
    report: Report,
) -> bytes:
    # Here, because it brings in the database, and a server may answer without it.
    from analytics import logs
    from analytics.admin import operations
    from analytics.startup import open_workspace

    # Standard output is for the answer, and a command that goes well is silent otherwise.
    logs.configure(settings.logs.model_copy(update={"level": "warning"}))
    async with open_workspace(settings) as workspace:
        pieces = nothing() if source is None else _pieces(source)
        job = OperationContext(input=pieces, report=report)
        return await operations.perform(workspace, operation, parameters, job)


async def _pieces(source: BinaryIO) -> AsyncIterator[bytes]:
    """Yield pieces of *source*, read in threads that are never joined.

    A terminal may never send.
    """
    loop = asyncio.get_running_loop()
    while True:
        piece: asyncio.Future[bytes] = loop.create_future()
        threading.Thread(target=_read, args=(source, loop, piece), daemon=True).start()
        data = await piece
        if not data:
            return
        yield data


def _read(source: BinaryIO, loop: asyncio.AbstractEventLoop, piece: asyncio.Future[bytes]) -> None:
    def settle(data: bytes, fault: OSError | None) -> None:
        if piece.cancelled():
            return
        if fault is None:
            piece.set_result(data)
        else:
            piece.set_exception(fault)

    data, fault = b"", None
    try:
        data = source.read(_PIECE)
    except OSError as exc:
        fault = exc
    with suppress(RuntimeError):  # the loop is closed: the command was interrupted
        loop.call_soon_threadsafe(settle, data, fault)


def _there(
    connection: socket.socket,
    operation: str,
    parameters: bytes,
    source: BinaryIO | None,
    report: Report,
) -> bytes:
    sender = threading.Thread(
        target=_send,
        args=(connection, protocol.request_line(operation, parameters), source),
        daemon=True,  # it may wait for a terminal's input that never comes
    )
    sender.start()
    with connection.makefile("rb") as lines:
        for line in lines:
            reply = protocol.reply(line)
            if reply.progress is not None:
                report(Progress(*reply.progress))
            elif reply.error is not None:
                raise problem.restore(reply.error)
            elif result := bytes(reply.result):
                return result
    raise Unavailable("the server went away before it had answered; run the command again")


def _send(connection: socket.socket, request: bytes, source: BinaryIO | None) -> None:
    try:
        connection.sendall(request)
        while piece := source.read(_PIECE) if source is not None else b"":
            connection.sendall(protocol.frame(piece))
        connection.sendall(protocol.frame(b""))
    except OSError:
        # The server closed: its last line, which the other thread reads, says why.
        return
