"""Copies new chunks into a replica's engine by polling the shared index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar
from uuid import uuid4

import pyarrow as pa

from analytics.background import BackgroundLoop, LoopState
from analytics.errors import AnalyticsError, StoreUnavailable
from analytics.pipeline.erasure import merged
from analytics.pipeline.ledger import LedgerKey, LedgerLine, add
from analytics.store.base import Prepared
from analytics.store.chunks import arrow, chunk, codec
from analytics.store.chunks.base import ChunkReader
from analytics.store.chunks.chunk import Chunk
from analytics.store.chunks.tiered import begins

T = TypeVar("T")

_EVERY_S: Final = 0.3
_LONGEST_PAUSE_S: Final = 5.0
_AT_ONCE: Final = 24
_LOOK_FOR_PARTITIONS_S: Final = 15.0


class ReplicaEngine(Protocol):
    """The replica's own engine, as far as the follower uses it."""

    async def absorb(self, prepared: Prepared) -> None:
        """Write *prepared* in one transaction; return when it is durable."""

    async def offsets(self) -> Mapping[int, int]:
        """Map each partition to the offset behind the records it has."""


class ChunkFollower:
    """Follows all partitions while its `async with` block runs."""

    def __init__(
        self,
        source: ChunkReader,
        engine: ReplicaEngine,
        scratch: Path,
        *,
        partitions: int,
        clock: Callable[[], int],
        every_s: float = _EVERY_S,
    ) -> None:
        self._source = source
        self._engine = engine
        self._scratch = scratch
        self._known = set(range(partitions))
        self._clock = clock
        self._following = BackgroundLoop(
            "follower",
            self._follow,
            every_s=every_s,
            meanwhile="Figures come from what this server has copied, and say as of when.",
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        self._look_at = 0.0
        self._thread = ThreadPoolExecutor(1, "follower")
        self.stepping = asyncio.Lock()
        """While another task holds this lock, nothing is written to the engine."""
        self._stopping = asyncio.Event()
        self._moved = asyncio.Condition()
        self._moves = 0
        self.next_offsets: dict[int, int] = {}
        """Maps each partition to the offset behind the records in the engine."""
        self.complete_at = 0
        """The last time (UTC ms) at which all shared chunks were in the engine; 0 if never."""
        self.fault: str | None = None
        """Why chunks may be missing that other replicas have, or None."""

    async def __aenter__(self) -> Self:
        self._scratch.mkdir(parents=True, exist_ok=True)
        for leftover in self._scratch.iterdir():
            leftover.unlink()
        self.next_offsets = dict(await self._engine.offsets())
        self._following.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        await self._following.stop(finish_step=True)
        await self._blocking(self._source.close)
        self._thread.shutdown()

    @property
    def loop(self) -> LoopState:
        """The state of its background loop."""
        return self._following.state

    async def _follow(self) -> None:
        """Copy new chunks until there are none left."""
        loop = asyncio.get_running_loop()
        try:
            if loop.time() >= self._look_at:
                self._known.update(await self._blocking(self._source.partitions))
                self._look_at = loop.time() + _LOOK_FOR_PARTITIONS_S
            while await self._round() and not self._stopping.is_set():
                self._following.state.succeeded()
        except AnalyticsError as exc:
            self.fault = str(exc)
            raise
        except Exception as exc:
            self.fault = f"the replica met an unexpected error: {exc!r}"
            raise

    async def _round(self) -> bool:
        """Copy the next chunks of every partition; return whether there were any.

        A partition whose chunks cannot be read does not stop the others: its `StoreUnavailable` is
        raised at the end.
        """
        started_at = self._clock()
        copied = False
        gap = unavailable = None
        for partition in sorted(self._known):
            try:
                usable, missing = await self._next(partition)
            except StoreUnavailable as exc:
                unavailable = unavailable or exc
                continue
            gap = missing or gap
            if usable:
                copied = True
                await self._absorb(partition, usable)
        if unavailable is not None:
            raise unavailable
        if gap is None and not copied:
            self.complete_at = started_at
        self.fault = gap
        return copied

    async def _next(self, partition: int) -> tuple[Sequence[Chunk], str | None]:
        """Return the next chunks of *partition*, and a message if there is a gap behind them."""
        at = self.next_offsets.get(partition, 0)
        chunks = await self._blocking(partial(self._source.following, partition, at, _AT_ONCE))
        usable: Sequence[Chunk] = _connected(chunks, at)
        if chunks and not usable and at:
            # The next records may have been merged into a larger chunk.
            usable = await self._blocking(partial(self._part, partition, at))
        end = usable[-1].last_offset + 1 if usable else at
        beyond = [each.first_offset for each in chunks if each.first_offset >= end]
        if beyond and beyond[0] > end:
            return (
                usable,
                f"records {end} to {beyond[0] - 1} of partition {partition} are not shared",
            )
        return usable, None

    def _part(self, partition: int, at: int) -> list[Chunk]:
        whole = self._source.holding(partition, at)
        return [] if whole is None else [whole]

    async def _absorb(self, partition: int, chunks: Sequence[Chunk]) -> None:
        path = self._scratch / f"{uuid4().hex}.parquet"
        try:
            prepared = await self._blocking(
                partial(_prepare, partition, chunks, path, self.next_offsets.get(partition, 0))
            )
            async with self.stepping:
                await self._engine.absorb(prepared)
        finally:
            path.unlink(missing_ok=True)
        self.next_offsets[partition] = prepared.next_offset
        async with self._moved:
            self._moves += 1
            self._moved.notify_all()

    async def _blocking(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def reached(self, ends: Mapping[int, int]) -> None:
        """Return when the engine has every record before *ends*, the offsets by partition."""
        async with self._moved:
            while any(self.next_offsets.get(p, 0) < end for p, end in ends.items()):
                await self._moved.wait()

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever rows were added since the last time; end when the follower stops."""
        moves = self._moves
        while not self._stopping.is_set():
            async with self._moved:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await self._moved.wait()
            if self._moves > moves:
                moves = self._moves
                yield


def _connected(chunks: Sequence[Chunk], at: int) -> list[Chunk]:
    """Return the *chunks* from *at* on, up to the first gap.

    An empty replica begins with the first chunk of the partition, which need not begin at 0.
    """
    if at == 0 and chunks and begins(chunks[0]):
        at = chunks[0].first_offset
    return chunk.chain(chunks, at)


def _prepare(partition: int, chunks: Sequence[Chunk], path: Path, at: int) -> Prepared:
    contents = [
        codec.since(codec.read(each.chunk_id, each.payload), at)
        if each.first_offset < at
        else codec.read(each.chunk_id, each.payload)
        for each in chunks
    ]
    table = pa.concat_tables(content.table for content in contents)
    if table.num_rows:
        arrow.save(table, path)
    ledger: dict[LedgerKey, LedgerLine] = {}
    for content in contents:
        ledger = add(ledger, content.ledger)
    return Prepared(
        rows=path if table.num_rows else None,
        earliest=arrow.earliest(table),
        ledger=ledger,
        dead=[letter for content in contents for letter in content.dead],
        partition=partition,
        next_offset=chunks[-1].last_offset + 1,
        erasures=merged(each.erasure for content in contents for each in content.orders),
    )
