"""How old the figures are: up to when everything that the log held is in them.

Who follows what is shared cannot tell a quiet hour from a stream job that is dead. The log can: its
ends are noted now and then, and as soon as the figures have reached some, they are complete as of
the moment at which those were asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Self

from analytics.background import BackgroundLoop, LoopState
from analytics.errors import LogUnavailable

_LOOK_EVERY_S: Final = 4.0
_NOTED: Final = 100

Ends = Callable[[], Awaitable[Mapping[int, int]]]
"""For each partition of the log, where it ends. Raises `AnalyticsError` when nobody can say."""


class Freshness:
    """Asks the log for its ends while its `async with` block runs."""

    def __init__(
        self,
        ends: Ends,
        here: Callable[[], Mapping[int, int]],
        clock: Callable[[], int],
        *,
        every_s: float = _LOOK_EVERY_S,
    ) -> None:
        """*here* tells for each partition the offset behind what is in the figures."""
        self._ends = ends
        self._here = here
        self._clock = clock
        self._asking = BackgroundLoop(
            "freshness",
            self.look,
            every_s=every_s,
            meanwhile="How old the figures are is only known up to the last answer of the log.",
            longest_pause_s=every_s,
        )
        self._noted: list[tuple[int, Mapping[int, int]]] = []
        self._complete_at = 0

    async def __aenter__(self) -> Self:
        self._asking.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._asking.stop()

    @property
    def loop(self) -> LoopState:
        """The state of its background loop."""
        return self._asking.state

    @property
    def complete_at(self) -> int:
        """The last moment (milliseconds) known of which nothing is missing; 0 without one."""
        here = self._here()
        for at in reversed(range(len(self._noted))):
            asked_at, ends = self._noted[at]
            if all(here.get(partition, 0) >= end for partition, end in ends.items()):
                self._complete_at = asked_at
                del self._noted[: at + 1]
                break
        return self._complete_at

    @property
    def missing(self) -> int:
        """The number of records that the log held when last asked and the figures lack."""
        if not self._noted:
            return 0
        here, ends = self._here(), self._noted[-1][1]
        return sum(max(0, end - here.get(partition, 0)) for partition, end in ends.items())

    async def look(self) -> None:
        """Record the current ends of the log. Raise `AnalyticsError` if they are unknown."""
        asked_at = self._clock()
        here = dict(self._here())
        ends = await self._ends()
        if any(end < here.get(partition, 0) for partition, end in ends.items()):
            raise LogUnavailable(
                "the log ends before what is in the figures: its topic was deleted and made anew,"
                " or has lost its end; see the stream job's /health/ready"
            )
        if len(self._noted) >= _NOTED:  # of a long standstill, every other will do
            self._noted = self._noted[::2]
        self._noted.append((asked_at, ends))
