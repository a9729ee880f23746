"""The embedded projector: reads the log, processes it into rows, and writes them to the store.

One transaction of the store writes a batch's rows, its ledger and the next offset, so a crash at
any moment neither loses nor duplicates an event.

Requests come before processing. The projector shares the GIL with the event loop; while the loop
is saturated, it processes one batch every five seconds. The log is durable in
the meantime (`analytics_log_lag_records` is the backlog), and the projector catches up later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
    Set,
)
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, Protocol, Self, TypeVar

import structlog

from analytics.background import BackgroundLoop, LoopState
from analytics.errors import AnalyticsError, Corrupt, NotVisibleYet, Unavailable
from analytics.event import Erasure, Hit, LogRecord
from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.erasure import Ordered
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import DeadLetter, WriteBatch, add, count_dead
from analytics.pipeline.sessions import KEEP_MS, REACH_MS, Visitor
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.pipeline.visit import Visit
from analytics.stream import record
from analytics.stream.base import Batch, EventLog, Position, unknown_receipt
from analytics.units import DAY_MS

log = structlog.get_logger()

T = TypeVar("T")

_BATCH: Final = 5_000
_LINGER_S: Final = 0.3
"""How long to let events gather before a batch is folded: a transaction has its price."""
_LOOK_S: Final = 0.05
_SATURATED: Final = 0.8
"""The share of time on a processor above which the event loop's thread is saturated."""
_GIVE_WAY_S: Final = 5.0
"""How long a saturated loop may hold up a step."""
_LONGEST_PAUSE_S: Final = 5.0
_WAIT_S: Final = 10.0


class Sink(Protocol):
    """The methods of a store that the projector calls."""

    async def write(self, batch: WriteBatch) -> None:
        """See `SeriesStore.write`."""

    async def offsets(self) -> Mapping[int, int]:
        """See `SeriesStore.offsets`."""

    async def newest(self) -> int | None:
        """See `Lookups.newest`."""

    async def seen(self, candidates: Sequence[Unsure]) -> set[tuple[str, str]]:
        """See `Lookups.seen`."""

    async def visits(self, pairs: Collection[Visitor], *, touched_since: int) -> list[Visit]:
        """See `Lookups.visits`."""

    async def recent_visits(self, touched_since: int) -> list[Visit]:
        """See `Lookups.recent_visits`."""

    def recent_ids(self, received_since: int) -> AsyncGenerator[list[tuple[str, str]], None]:
        """See `Lookups.recent_ids`."""


class Projector:
    """Processes one partition of the log while its `async with` block runs."""

    def __init__(
        self,
        log: EventLog,
        sink: Sink,
        *,
        clock: Callable[[], int],
        partition: int = 0,
        linger_s: float = _LINGER_S,
    ) -> None:
        self._log = log
        self._sink = sink
        self._clock = clock
        self._partition = partition
        self._linger_s = linger_s
        self._state: PipelineState
        self._stepping = asyncio.Lock()
        self._moved = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._following = BackgroundLoop(
            "projector",
            self._follow,
            every_s=None,
            meanwhile="What is received waits in the journal, and is not in the figures yet.",
            essential=True,
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        self._remembering = BackgroundLoop(
            "remembered-ids",
            self._remember,
            every_s=None,
            meanwhile="The id of each hit is looked up in the store, which takes longer.",
        )
        self._state_is_stored = False
        """Whether the state equals the store's; False while a step is under way."""
        self._remembered: PipelineState | None = None
        """The state whose filter of ids has been filled."""
        self.next_offset = 0
        """Every record before this offset is in the store."""
        self.fault: AnalyticsError | None = None
        """The error that holds the projector up; None while it works."""

    async def __aenter__(self) -> Self:
        await self._load()
        # A process that was killed may have stored a whole segment without releasing it.
        await self._log.release(Position(self._partition, self.next_offset))
        self._following.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._stopping.set()
        async with self._stepping:  # let the transaction under way end
            await self._following.stop()
            await self._remembering.stop()

    @property
    def loops(self) -> Sequence[LoopState]:
        """The state of its background loops."""
        return (self._following.state, self._remembering.state)

    # Following the log

    async def _load(self) -> None:
        """Begin where the store stopped, with the visits that can still be joined."""
        self.next_offset = (await self._sink.offsets()).get(self._partition, 0)
        newest = await self._sink.newest()
        visits = [] if newest is None else await self._sink.recent_visits(newest - KEEP_MS)
        self._state = PipelineState(Sources(), newest=newest, visits=visits)
        self._newest = newest
        self._state_is_stored = True
        self._remembering.start()

    async def _follow(self) -> None:
        """Store what is in the log, batch by batch, for as long as nothing fails."""
        try:
            if not self._state_is_stored:  # an attempt before this one ended in the midst of a step
                async with self._stepping:
                    await self._load()
            start = Position(self._partition, self.next_offset)
            (_oldest, newest), *_ = await self._log.ends()
            if newest.offset <= self.next_offset:
                self._succeeded()  # a server that is unready gets no event that could prove it
            async with aclosing(self._log.read(start, limit=_BATCH)) as batches:
                async for batch in batches:
                    await self._store(batch)
                    await self._rest(batch)
        except Exception as exc:
            self.fault = (
                exc
                if isinstance(exc, AnalyticsError)
                else Corrupt(f"the projector met an unexpected error: {exc!r}")
            )
            async with self._moved:  # tell those who wait
                self._moved.notify_all()
            raise

    async def _store(self, batch: Batch) -> None:
        async with self._stepping:
            self._state_is_stored = False
            await self._step(batch)
            self._state_is_stored = True
            await self._advance(batch.end)
        await self._log.release(batch.end)
        self._succeeded()

    def _succeeded(self) -> None:
        self.fault = None
        self._following.state.succeeded()

    async def _rest(self, batch: Batch) -> None:
        """Let events gather before the next batch, unless a backlog has gathered already."""
        self._hurry.clear()
        (_oldest, newest), *_ = await self._log.ends()
        if newest.offset - batch.end.offset < _BATCH:
            await self._linger(self._linger_s)
        await self._give_way()

    async def _linger(self, seconds: float) -> None:
        """Wait a moment for more events, unless `reached` waits for those already appended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for may swallow a cancellation
                await self._hurry.wait()

    async def _give_way(self) -> None:
        """Wait while the event loop is saturated, unless `reached` waits for the figures."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _GIVE_WAY_S
        while not self._hurry.is_set() and (began := loop.time()) < until:
            busy = time.thread_time()  # of this thread, which is the loop's
            await self._linger(_LOOK_S)
            if time.thread_time() - busy < _SATURATED * (loop.time() - began):
                return

    async def _step(self, batch: Batch) -> None:
        records, dead = await asyncio.to_thread(self._decode, batch)
        unsure, absent = await asyncio.to_thread(
            lambda: (self._state.unsure(records), self._state.absent(records))
        )
        known_ids = await self._surely(lambda: self._sink.seen(unsure)) if unsure else set()
        if absent:
            since = min(hit.received_at for _, hit in records if type(hit) is Hit) - REACH_MS
            self._state.load(
                await self._surely(lambda: self._sink.visits(absent, touched_since=since))
            )
        outcome = await asyncio.to_thread(fold, records, self._state, known_ids)
        write = WriteBatch(
            rows=outcome.rows,
            ledger=add(outcome.ledger, count_dead(dead)),
            dead=dead,
            partition=self._partition,
            next_offset=batch.end.offset,
            erasures=[Ordered(at, each) for at, each in records if type(each) is Erasure],
        )
        await self._surely(lambda: self._sink.write(write))

    async def _surely(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of *call*, retried while the store is unavailable.

        Raise `Unavailable` if the projector stops first.
        """
        while True:
            try:
                result = await call()
            except Unavailable as exc:
                self.fault = exc
                if self._stopping.is_set():
                    raise  # a start reads on from here
                self._following.state.failed(exc)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._following.pause_s):
                        await self._stopping.wait()
            else:
                if self.fault is not None:
                    self._succeeded()
                return result

    def _decode(self, batch: Batch) -> tuple[list[tuple[int, LogRecord]], list[DeadLetter]]:
        records: list[tuple[int, LogRecord]] = []
        dead: list[DeadLetter] = []
        for offset, payload in enumerate(batch.records, batch.start.offset):
            try:
                records.append((offset, record.decode(payload)))
            except Corrupt as exc:
                log.error("record_unreadable", offset=offset, error=str(exc))  # noqa: TRY400
                dead.append(DeadLetter(offset, self._clock(), str(exc), payload))
        return records, dead

    async def _remember(self) -> None:
        """Feed the state's filter of ids with those of the last day, between batches."""
        while self._remembered is not self._state:
            state, newest = self._state, self._newest
            if newest is not None:
                since = newest - DAY_MS
                async with aclosing(self._sink.recent_ids(since)) as chunks:
                    async for chunk in chunks:
                        async with self._stepping:
                            await asyncio.to_thread(_remember_chunk, state, chunk, newest)
                async with self._stepping:
                    state.seen.vouch(since)
                log.info("ids_remembered", since=since)
            self._remembered = state

    async def _advance(self, end: Position) -> None:
        self.next_offset = end.offset
        async with self._moved:
            self._moved.notify_all()

    # Waiting for figures

    async def reached(self, offset: int) -> None:
        """Return when every record before *offset* is in the store."""
        self._hurry.set()
        async with self._moved:
            while self.next_offset < offset:
                if self.fault is not None and not isinstance(self.fault, Unavailable):
                    raise self.fault
                await self._moved.wait()

    async def visible(self, receipts: str) -> None:
        """Return when every record of *receipts* (by comma) is in the store.

        Raise `Malformed` for a receipt that this log did not issue, and `NotVisibleYet` after 10 s.
        """
        positions = [Position.parse(receipt) for receipt in receipts.split(",")]
        last = max(position.offset for position in positions)
        (_oldest, end), *_ = await self._log.ends()
        if last >= end.offset or {place.partition for place in positions} != {self._partition}:
            raise unknown_receipt()
        try:
            async with asyncio.timeout(_WAIT_S):
                await self.reached(last + 1)
        except TimeoutError:
            raise NotVisibleYet(
                "the event is durable, and not in the figures yet; ask again in a moment"
            ) from None

    async def settle(self) -> None:
        """Return when everything appended so far is in the store."""
        (_oldest, end), *_ = await self._log.ends()
        await self.reached(end.offset)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Hold back processing while the block runs."""
        async with self._stepping:
            yield

    def drop_visits(self, site: str, sessions: Set[int]) -> None:
        """Let no further event join these visits, whose rows are erased. Call it while `paused`."""
        self._state.sessions.drop(site, sessions)

    async def recall_visits(self, site: str, visitors: Collection[int]) -> None:
        """Read again the visits of *visitors*, whose rows have changed. Call it while `paused`."""
        sessions = self._state.sessions
        recalled = await asyncio.to_thread(sessions.recalled, site, visitors)
        if not recalled:
            return
        self._state_is_stored = False
        since = sessions.horizon
        visits = await self._surely(lambda: self._sink.visits(recalled, touched_since=since))
        sessions.replace(recalled, visits)
        self._state_is_stored = True

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever rows have been stored since the last time; end with the projector."""
        offset = self.next_offset
        while not self._stopping.is_set():
            async with self._moved:
                # Woken by new rows; looks once a second whether the program stops.
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await self._moved.wait()
            if self.next_offset > offset:
                offset = self.next_offset
                yield


def _remember_chunk(state: PipelineState, chunk: Sequence[tuple[str, str]], newest: int) -> None:
    for site, event_id in chunk:
        state.seen.remember(site, event_id, newest)
