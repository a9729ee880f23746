"""A steady load in the client's namespace, with every answer it gets."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tests.front.balancer import PORT
from tests.front.topology import ADDRESS, CLIENTS, Topology

SITE: Final = "front.example"
PATIENCE_S: Final = 120
_PROGRAM: Final = Path(__file__).with_name("visitors.py")


class Answer(NamedTuple):
    """What became of one request. Times are in seconds since 1970."""

    id: str
    source: str
    connected: float
    """When its connection was asked for."""
    began: float
    ended: float
    status: int
    """0 when it was not answered."""
    retry_after: str | None
    error: str

    @property
    def failed(self) -> bool:
        return self.status != 202


@dataclass
class Load:
    """Runs while the block does. *rate* is in events a second, of all visitors together."""

    topology: Topology
    rate: float = 150
    visitors: int = 30
    host: str = ADDRESS
    port: int = PORT
    sources: tuple[str, ...] = CLIENTS[:30]
    answers: list[Answer] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        command = self.topology.inside(
            "client",
            *(sys.executable, _PROGRAM, "--host", self.host, "--port", self.port, "--site", SITE),
            *("--visitors", self.visitors, "--rate", self.rate, "--sources", *self.sources),
        )
        self.process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            await self._reading
            assert await self.process.wait() == 0

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            said: dict[str, Any] = {"status": 0, "retry_after": None, "error": ""}
            self.answers.append(Answer(**{**said, **json.loads(line)}))

    async def goes_on(self, count: int = 200) -> None:
        """Return after *count* more answers."""
        wanted = len(self.answers) + count
        async with asyncio.timeout(PATIENCE_S):
            while len(self.answers) < wanted:
                await asyncio.sleep(0.01)

    async def answered_since(self, moment: float) -> Answer:
        """The first 202 to a request that began after *moment*."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for answer in self.answers:
                    if answer.began > moment and not answer.failed:
                        return answer
                await asyncio.sleep(0.005)

    @property
    def acked(self) -> set[str]:
        return {answer.id for answer in self.answers if not answer.failed}

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.failed]


def now() -> float:
    """The clock that answers are dated by."""
    return time.time()
