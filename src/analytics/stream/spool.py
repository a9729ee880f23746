"""A log behind a breaker, with the journal as its spool: hits are taken while the log is away.

Records that the log does not confirm go to the journal, which is durable too, so their senders get
the same 2xx. When the log is back, the spooled records are sent to it in order; until the last one
is there, new records are spooled behind them. So a visitor's events keep their order. While the
spool drains, senders are admitted at half its rate, so that it becomes empty at any load.
What the log got without saying so is sent once more, under the same event id: deduplication undoes
that.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple, Self

import structlog

from analytics.background import BackgroundLoop, LoopState
from analytics.breaker import Breaker, BreakerLimits, Call
from analytics.errors import LogUnavailable, NotVisibleYet
from analytics.event import LogRecord
from analytics.stream import record as records_
from analytics.stream.ack import Ack
from analytics.stream.backlog import Backlog
from analytics.stream.base import Appending, Batch, EventLog, Position
from analytics.stream.journal import JournalLimits
from analytics.stream.spool_mark import FIRST_NUMBER

log = structlog.get_logger()

_CHUNK: Final = 1000
_NEAR: Final = 2000
"""The backlog, in records, below which new appends are held until the last of it is sent."""
_MOST_HELD: Final = 10_000
"""The most appends to hold; further ones are spooled."""
_PATIENCE: Final = 5
"""The time limit of a chunk of the spool, as a multiple of that of an append."""
_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_DEGRADED: Final = (
    "Hits are written to this server's own disk, acknowledged, and sent on when Kafka is back."
)


class Mode(Enum):
    """The destination of appends."""

    DIRECT = auto()
    """To the log."""
    SPOOLING = auto()
    """To the journal."""
    HOLDING = auto()
    """Appends wait a moment: the last records of the journal are on their way to the log."""


class Pending(NamedTuple):
    """An append that the log has not confirmed."""

    records: Sequence[LogRecord]
    ack: Ack
    call: Call


class SpoolLimits(NamedTuple):
    """The times after which the journal takes over, and the log is tried again."""

    after_s: float = 2.0
    """Seconds that an append may take before it is spooled."""
    retry_after_s: float = 5.0
    """Seconds before a failed log is tried again."""


class Spool:
    """An `EventLog`: *log*, with a journal in *folder* for while it is away."""

    def __init__(
        self,
        log: EventLog,
        folder: Path,
        *,
        journal: JournalLimits | None = None,
        limits: SpoolLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._backlog = Backlog(folder, journal)
        self._limits = limits or SpoolLimits()
        self._clock = clock
        self.breaker = Breaker(
            "kafka",
            _DEGRADED,
            BreakerLimits(
                slow_s=self._limits.after_s,
                retry_after_s=self._limits.retry_after_s,
                in_a_row=3,
            ),
            clock=clock,
        )
        self._mode = Mode.DIRECT
        self._pending: dict[Appending, Pending] = {}  # in the order in which they began
        self._held: deque[tuple[Sequence[LogRecord], Ack]] = deque()
        self._drainer = BackgroundLoop(
            "spool",
            self._drain,
            every_s=None,
            meanwhile="Hits are kept on this server's own disk, and are not sent on to Kafka.",
            essential=True,
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        look_every_s = self._limits.after_s / 4
        self._watcher = BackgroundLoop(
            "spool-watch",
            self._look_for_silence,
            every_s=look_every_s,
            meanwhile="Hits wait for a Kafka that is silent, instead of going to the spool.",
            first_after_s=look_every_s,
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._backlog)
            stack.push_async_callback(asyncio.sleep, 0)  # what the log gives up is spooled yet
            await stack.enter_async_context(self._log)
            self._stack = stack.pop_all()
        if self.backlog:
            log.warning("spool_left_over", records=self.backlog)
            self._begin_spooling()
        else:
            await self._backlog.clear()
        self._watcher.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._watcher.stop()
        await self._drainer.stop()
        self._stop_holding()
        # The log first: what it gives up is spooled, and sent after the next start.
        await self._stack.aclose()

    @property
    def fault(self) -> str | None:
        """Return why appends are refused; None while the log or the spool accepts them."""
        if self._mode is Mode.DIRECT:
            return None
        return self._backlog.fault

    @property
    def loops(self) -> Sequence[LoopState]:
        """Return the state of the background loops."""
        return (self._drainer.state, self._watcher.state)

    @property
    def spooling(self) -> bool:
        """Return whether appends go to the journal now."""
        return self._mode is not Mode.DIRECT

    @property
    def backlog(self) -> int:
        """The number of records in the journal that are not in the log."""
        return self._backlog.records

    @property
    def backlog_bytes(self) -> int:
        """Return the bytes of the journal on disk."""
        return self._backlog.bytes

    # Appending

    def append(self, records: Sequence[LogRecord]) -> Appending:
        """See `EventLog.append`."""
        ack = Ack()
        if self._mode is Mode.DIRECT and self._append_directly(records, ack):
            return ack.appending
        if self._mode is Mode.HOLDING:
            self._held.append((records, ack))
            if len(self._held) > _MOST_HELD:
                self._spool_held()
        else:
            self._backlog.add(records, ack)
        return ack.appending

    def _append_directly(self, records: Sequence[LogRecord], ack: Ack) -> bool:
        """Return whether the log accepted *records*; if not, start spooling."""
        call = self.breaker.begin()
        if call is not None:
            try:
                appended = self._log.append(records)
            except LogUnavailable as exc:
                fault = str(exc)
                call.failed(fault)
            else:
                self._pending[appended] = Pending(records, ack, call)
                appended.then(self._confirmed)
                return True
        else:
            fault = "it was slow, or it failed too often"
        self._take_over(fault)
        return False

    def _confirmed(self, appended: Appending) -> None:
        """Handle the log's confirmation, or refusal, of an append."""
        error = appended.error
        pending = self._pending[appended]
        if error is not None:
            pending.call.failed(str(error))
            # It is spooled with all behind it, in their order, before anything else can be.
            self._take_over(str(error))
        else:
            pending.call.succeeded()
        del self._pending[appended]
        if error is None:
            pending.ack.succeeded(appended.positions)
        else:
            pending.ack.failed(error)

    def _take_over(self, fault: str) -> None:
        """Start spooling, beginning with everything that the log has not confirmed."""
        if self._mode is not Mode.DIRECT:
            return
        log.warning("spooling_began", reason=fault, unconfirmed=len(self._pending))
        self._begin_spooling()
        for pending in self._pending.values():
            pending.ack.chances += 1
            self._backlog.add(pending.records, pending.ack)

    def _begin_spooling(self) -> None:
        self._mode = Mode.SPOOLING
        self._drainer.start()

    async def _look_for_silence(self) -> None:
        """Take over when an append waits too long, though nothing has failed."""
        oldest = next(iter(self._pending.values()), None)
        if (
            self._mode is Mode.DIRECT
            and oldest is not None
            and self._clock() - oldest.call.began > self._limits.after_s
        ):
            fault = f"it has not confirmed anything for {self._limits.after_s:g} s"
            oldest.call.failed(fault)
            self._take_over(fault)

    # Draining

    async def _drain(self) -> None:
        """Send what is spooled to the log, in order, until nothing is left."""
        try:
            while self._mode is not Mode.DIRECT:
                async with aclosing(self._backlog.read(limit=_CHUNK)) as batches:
                    await self._send_all(batches)
                self._send_directly()
                await self._backlog.clear()
        except Exception:
            self._stop_holding()
            raise

    def _send_directly(self) -> None:
        """Go back to the log, with what was held first."""
        self._mode = Mode.DIRECT
        log.info("spool_drained", up_to=self._backlog.drained)
        waiting, self._held = self._held, deque()
        for records, ack in waiting:
            if self._mode is not Mode.DIRECT or not self._append_directly(records, ack):
                self._backlog.add(records, ack)

    async def _send_all(self, batches: AsyncGenerator[Batch, None]) -> None:
        while self.backlog or self._backlog.writing:
            if not self.backlog:
                await asyncio.sleep(0.001)  # the journal is about to end a sync
                continue
            batch = await anext(batches)
            records = [records_.decode(payload) for payload in batch.records]
            while not await self._send(records):
                self._drainer.state.succeeded()  # to wait for a log that is away is its work
                self._stop_holding()
                await asyncio.sleep(max(_PAUSE_S, self.breaker.retry_in()))
            await self._backlog.sent(batch)
            self._drainer.state.succeeded()
            self._mode = Mode.HOLDING
            if self.backlog >= _NEAR:
                self._spool_held(_CHUNK // 2)

    async def _send(self, records: Sequence[LogRecord]) -> bool:
        """Return whether the log confirmed *records*."""
        call = self.breaker.begin()
        if call is None:
            return False
        # Senders that are held up have waited for long enough after the usual time.
        patience = 1 if self._mode is Mode.HOLDING else _PATIENCE
        try:
            async with asyncio.timeout(patience * self._limits.after_s):
                await self._log.append(records)
        except (LogUnavailable, TimeoutError) as exc:
            call.failed(str(exc) or "it took too long over what was spooled")
            return False
        call.succeeded()
        return True

    def _stop_holding(self) -> None:
        """Spool the appends that were held, since the log is unavailable again."""
        if self._mode is Mode.HOLDING:
            self._mode = Mode.SPOOLING
            self._spool_held()

    def _spool_held(self, most: int | None = None) -> None:
        """Spool what was held, about *most* records of it."""
        remaining = most
        while self._held and (remaining is None or remaining > 0):
            records, ack = self._held.popleft()
            self._backlog.add(records, ack)
            remaining = None if remaining is None else remaining - len(records)

    # Reading

    def read(self, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
        """See `EventLog.read`; what is spooled can't be read before it is in the log."""
        return self._log.read(start, limit=limit)

    async def release(self, before: Position) -> None:
        """See `EventLog.release`."""
        await self._log.release(before)

    async def ends(self) -> Sequence[tuple[Position, Position]]:
        """See `EventLog.ends`."""
        return await self._log.ends()

    async def holds(self, positions: Sequence[Position]) -> bool:
        """Return whether a record was appended at each of *positions*.

        Other replicas' spools cannot be asked: a position in one of them counts as held. Raises
        `LogUnavailable` while Kafka is away.
        """
        spooled = [each.offset for each in positions if each.partition == self._backlog.number]
        if spooled and max(spooled) >= self._backlog.end:
            return False
        logged = [each for each in positions if each.partition < FIRST_NUMBER]
        ends = {end.partition: end.offset for _, end in await self._log.ends()} if logged else {}
        return all(each.offset < ends.get(each.partition, 0) for each in logged)

    async def places(self, position: Position) -> Sequence[Position]:
        """Where to wait for the record at *position*, which may have been spooled.

        Returns when it is in the log. Raises `NotVisibleYet` for one of another replica's spool.
        """
        if position.partition < FIRST_NUMBER:
            return [position]
        if position.partition != self._backlog.number:
            raise NotVisibleYet(
                "another replica keeps this event until Kafka is back; ask that one"
            )
        await self._backlog.gone(position.offset)
        return [
            Position(end.partition, end.offset - 1)
            for oldest, end in await self._log.ends()
            if end.offset > oldest.offset
        ]


_: type[EventLog] = Spool
