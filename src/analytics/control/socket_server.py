"""Serves the control socket: performs the operations of commands in the server's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import structlog

from analytics.admin import operations
from analytics.admin.operation_context import OperationContext, Progress, nothing
from analytics.admin.workspace import Workspace
from analytics.control import protocol, unix_socket
from analytics.errors import AnalyticsError, Malformed, Unavailable

log: Final = structlog.get_logger()


@asynccontextmanager
async def serving(workspace: Workspace) -> AsyncIterator[None]:
    """Serve the data folder's socket while the block runs; cancel running operations at its end."""
    listener = unix_socket.listen(workspace.folder.socket)
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            running.add(task)
            task.add_done_callback(running.discard)
        await _serve(workspace, reader, writer)

    server = await asyncio.start_unix_server(
        connected, sock=listener, limit=protocol.MAX_REQUEST_BYTES
    )
    try:
        yield
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        workspace.folder.socket.unlink(missing_ok=True)


async def _serve(
    workspace: Workspace, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        last = await _answer(workspace, reader, writer)
    except asyncio.CancelledError:
        last = protocol.error_line(Unavailable("the server is stopping; run the command again"))
    if writer.transport.is_closing():
        return  # the client has disconnected
    with suppress(ConnectionError):
        writer.write(last)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def _answer(
    workspace: Workspace, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    name = ""
    try:
        request = msgspec.json.decode(await reader.readline(), type=protocol.Request)
        name = request.operation
        reads = operations.named(name).reads
        job = OperationContext(
            input=_frames(reader) if reads else nothing(),
            report=lambda progress: _report(writer, progress),
        )
        work = operations.perform(workspace, name, bytes(request.parameters), job)
        result = await (work if reads else _while_connected(work, reader))
    except AnalyticsError as exc:
        log.info("operation_refused", operation=name, code=exc.code)
        return protocol.error_line(exc)
    except (msgspec.MsgspecError, ValueError) as exc:
        return protocol.error_line(Malformed("", f"the request cannot be understood: {exc}"))
    except Exception as exc:
        log.exception("operation_failed", operation=name)
        return protocol.error_line(
            AnalyticsError(f"the server failed: {type(exc).__name__}; its log says more")
        )
    log.info("operation_done", operation=name)
    return protocol.result_line(result)


def _report(writer: asyncio.StreamWriter, progress: Progress) -> None:
    if not writer.transport.is_closing():
        writer.write(protocol.progress_line(progress))


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            if size > protocol.MAX_FRAME_BYTES:
                raise Malformed("", "a frame of the input is too large")
            yield await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        raise Malformed("", "the input was cut off; nothing after the cut was read") from None


async def _while_connected(
    work: Coroutine[object, object, bytes], reader: asyncio.StreamReader
) -> bytes:
    """Return the result of *work*. Cancel it and raise `Unavailable` if the client disconnects."""
    task = asyncio.ensure_future(work)
    disconnection = asyncio.ensure_future(
        reader.read()
    )  # returns at the end of what the client sends
    try:
        await asyncio.wait({task, disconnection}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Unavailable("the client went away")
        return task.result()
    finally:
        for each in (task, disconnection):
            each.cancel()
        await asyncio.gather(task, disconnection, return_exceptions=True)
