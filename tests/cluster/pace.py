"""Visitors who send at a pace of their own, however soon they are answered, and time it."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import Final

SENDERS: Final = 16
HEAD: Final = b"POST /api/event HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@dataclass
class Pace:
    """What came back: the statuses, and how long each answer took."""

    statuses: dict[int, int] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        took = sorted(self.took_ms)
        p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
        return (
            f"{len(took)} events: p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {took[-1]:.1f} ms;"
            f" {self.statuses}"
        )


async def send(port: int, site: str, *, a_second: float, seconds: float) -> Pace:
    """Send *a_second* events each second for some *seconds*, over connections that are kept.

    Who waits for an answer sends later, and the time counts from when it was to be sent: so
    nothing that was held up is left out of the figures.
    """
    pace = Pace()
    await asyncio.gather(
        *(
            _send(pace, port, site, number, pause_s=SENDERS / a_second, seconds=seconds)
            for number in range(SENDERS)
        )
    )
    return pace


async def _send(
    pace: Pace, port: int, site: str, number: int, *, pause_s: float, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = loop.time() + pause_s * number / SENDERS
    until = due + seconds
    while due < until:
        await asyncio.sleep(max(0.0, due - loop.time()))
        event = {
            "n": "pageview",
            "u": f"https://{site}/",
            "d": site,
            "id": str(uuid.uuid4()),
            "vid": f"visitor-{number}",
        }
        body = json.dumps(event).encode()
        writer.write(
            b"POST /api/event HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
        pace.took_ms.append((loop.time() - due) * 1000)
        status = int(head.split()[1])
        pace.statuses[status] = pace.statuses.get(status, 0) + 1
        due += pause_s
    writer.close()
