"""Visitors: a program that sends events at a steady rate, retries none, writes down every answer.

It needs nothing but Python, as it is run in a namespace of its own. A line of JSON for each request
goes to standard output; when standard input ends, it finishes what it began, and ends too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
import uuid

_ANSWER_S = 30.0


class Visitor:
    """Sends one event after the other, over one connection or each over a new one."""

    def __init__(self, options: argparse.Namespace, number: int) -> None:
        self._options = options
        self._source = options.sources[number % len(options.sources)]
        self._keeps = number % 2 == 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._connected = 0.0

    async def visit(self, ended: asyncio.Event, pause_s: float) -> None:
        """Send until *ended*."""
        due = time.monotonic() + random.uniform(0, pause_s)
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), max(0.0, due - time.monotonic()))
                break
            # Not more than a second of arrears is made up for.
            due = max(due + pause_s, time.monotonic() - 1)
            await self._send()
        self._close()

    async def _send(self) -> None:
        event = str(uuid.uuid4())
        said: dict[str, object] = {"id": event, "source": self._source, "began": time.time()}
        try:
            async with asyncio.timeout(_ANSWER_S):
                said["status"], headers = await self._exchange(event)
                said["retry_after"] = headers.get("retry-after")
        except (OSError, EOFError, TimeoutError, ValueError) as exc:
            said["error"] = type(exc).__name__
            self._close()
        said["connected"], said["ended"] = self._connected, time.time()
        print(json.dumps(said), flush=True)
        if not self._keeps:
            self._close()

    async def _exchange(self, event: str) -> tuple[int, dict[str, str]]:
        if self._streams is None:
            self._connected = time.time()
            self._streams = await asyncio.open_connection(
                self._options.host, self._options.port, local_addr=(self._source, 0)
            )
        reader, writer = self._streams
        site = self._options.site
        body = f'{{"n":"pageview","u":"https://{site}/","d":"{site}","id":"{event}"}}'
        writer.write(
            f"POST /api/event HTTP/1.1\r\nHost: {self._options.host}\r\nUser-Agent: Mozilla/5.0 "
            "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nContent-Type: "
            f"text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self._close()
        return int(head[0].split()[1]), headers

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def main() -> None:
    """Run the visitors that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--visitors", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="events a second of all together")
    options = parser.parse_args()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, sys.stdin.read).add_done_callback(lambda _: ended.set())
    pause_s = options.visitors / options.rate
    visitors = [Visitor(options, number) for number in range(options.visitors)]
    await asyncio.gather(*(visitor.visit(ended, pause_s) for visitor in visitors))


if __name__ == "__main__":
    asyncio.run(main())
