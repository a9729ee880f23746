"""Each background loop of the program, hit by an error that nobody expected, goes on and shows it.

The part that a loop depends on breaks (with what SQLite or Python raise, which no handler names),
and works again later. A loop that is new must have a row here.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs
from tests.architecture.checkout import ROOT

from analytics.background import BackgroundLoop, BackgroundThread, LoopState
from analytics.balancer import reconcile
from analytics.balancer.runtime import BackendServer, Runtime
from analytics.catalog.shared import SharedCatalog
from analytics.event import LogRecord
from analytics.gateway import connection_limits, metrics
from analytics.gateway.gate import Gate
from analytics.gateway.health import Health
from analytics.ingest.request_counts import RequestCounts
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.upkeep.dead_letters import DeadLetters
from analytics.job.upkeep.lag_alarm import LagAlarm
from analytics.job.upkeep.outbox_relay import OutboxRelay
from analytics.maintenance import duties, exports
from analytics.module import Module
from analytics.pipeline.ledger import WriteBatch
from analytics.projector import Projector
from analytics.registry.base import Replica
from analytics.registry.membership import Membership
from analytics.registry.memory import MemoryRegistry
from analytics.scheduled_export.schedule import ScheduledExport
from analytics.settings import (
    CassandraSettings,
    DiscoverSettings,
    IgniteSettings,
    KafkaSettings,
    Settings,
)
from analytics.settings.exports import ExportsSettings
from analytics.startup import open_resources
from analytics.store.chunks.chunk import Chunk
from analytics.store.duckdb import DuckDBStore
from analytics.store.freshness import Freshness
from analytics.store.replica.follower import ChunkFollower
from analytics.stream.base import Appending
from analytics.stream.journal import Journal, JournalLimits
from analytics.stream.kafka.log import KafkaLog
from analytics.stream.spool import Spool, SpoolLimits
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.registry import ONE

NOW = 1_764_000_000_000
ROOMY = JournalLimits(min_free_bytes=0)

Loop = BackgroundLoop | BackgroundThread
Begun = AbstractAsyncContextManager[Loop]


class Part:
    """Whether what a loop depends on is broken, and by what."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.broken = True

    def used(self) -> None:
        """Raise the error, a new one each time, while it is broken."""
        if self.broken:
            raise type(self._error)(str(self._error))


@asynccontextmanager
async def projector(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class Store(DuckDBStore):
        async def write(self, batch: WriteBatch) -> None:
            part.used()
            await super().write(batch)

    async with (
        Store(folder / "store.duckdb") as store,
        Journal(folder / "journal", ROOMY) as journal,
        Projector(journal, store, clock=lambda: NOW, linger_s=0.01) as projector,
    ):
        await journal.append([numbered_hit(1), numbered_hit(2), numbered_hit(2)])
        yield projector._following
        (line,) = (await store.ledger()).values()
        assert (line.received, line.stored, line.duplicate) == (3, 2, 1)


@asynccontextmanager
async def remembered_ids(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class Store(DuckDBStore):
        def recent_ids(self, received_since: int) -> AsyncGenerator[list[tuple[str, str]], None]:
            part.used()
            return super().recent_ids(received_since)

    stores = (DuckDBStore, Store)  # the second has ids to remember
    for kind in stores:
        async with (
            kind(folder / "store.duckdb") as store,
            Journal(folder / "journal", ROOMY) as journal,
            Projector(journal, store, clock=lambda: NOW, linger_s=0.01) as projector,
        ):
            await journal.append([numbered_hit(1)])
            await projector.settle()
            if kind is Store:
                yield projector._remembering
                assert projector._remembered is projector._state


class Remote(Journal):
    """A log that is away, then broken, then silent or well."""

    def __init__(self, folder: Path, part: Part) -> None:
        super().__init__(folder, ROOMY)
        self._part = part
        self.silent = False

    def append(self, records: Sequence[LogRecord]) -> Appending:
        if self.silent:
            return Appending(())
        self._part.used()
        return super().append(records)


@asynccontextmanager
async def spool(part: Part, folder: Path) -> AsyncIterator[Loop]:
    remote = Remote(folder / "log", part)
    async with Spool(remote, folder / "spool", journal=ROOMY) as left:
        left._begin_spooling()
        await left.append([numbered_hit(1), numbered_hit(2)])
    async with Spool(remote, folder / "spool", journal=ROOMY) as spool:
        yield spool._drainer
        async with asyncio.timeout(20):
            while spool.backlog:
                await asyncio.sleep(0.01)
        assert remote.next_offset == 2


@asynccontextmanager
async def spool_watch(part: Part, folder: Path) -> AsyncIterator[Loop]:
    remote = Remote(folder / "log", part)
    remote.silent = True
    part.broken = False
    moments = iter(range(1000))

    def clock() -> float:
        part.used()
        return next(moments)

    limits = SpoolLimits(after_s=0.04)
    async with Spool(remote, folder / "spool", journal=ROOMY, limits=limits, clock=clock) as spool:
        appended = spool.append([numbered_hit(1)])
        part.broken = True  # the watch asks the clock how long a hit has waited
        yield spool._watcher
        assert await appended


@asynccontextmanager
async def catalog(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class Document:
        body: tuple[int, bytes] | None = None

        def revision(self) -> int | None:
            part.used()
            return self.body and self.body[0]

        def load(self) -> tuple[int, bytes] | None:
            return self.body

        def replace(self, revision: int, body: bytes) -> bool:
            self.body = (revision, body)
            return True

        def close(self) -> None:
            pass

    part.broken = False
    async with SharedCatalog(Document(), folder / "image", salts=Document()) as catalog:
        part.broken = True
        yield catalog._following


@asynccontextmanager
async def freshness(part: Part, _folder: Path) -> AsyncIterator[Loop]:
    async def ends() -> Mapping[int, int]:
        part.used()
        return {}

    async with Freshness(ends, dict, lambda: NOW, every_s=0.01) as freshness:
        yield freshness._asking
        assert freshness.complete_at == NOW


@asynccontextmanager
async def follower(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class Source:
        def partitions(self) -> Sequence[int]:
            part.used()
            return [0]

        def following(self, partition: int, offset: int, limit: int) -> Sequence[Chunk]:
            return []

        def holding(self, partition: int, offset: int) -> Chunk | None:
            return None

        def close(self) -> None:
            pass

    async with (
        DuckDBStore(folder / "store.duckdb") as engine,
        ChunkFollower(
            Source(), engine, folder / "new", partitions=1, clock=lambda: NOW
        ) as follower,
    ):
        yield follower._following
        assert follower.fault is None


@asynccontextmanager
async def membership(part: Part, _folder: Path) -> AsyncIterator[Loop]:
    class Registry(MemoryRegistry):
        async def announce(self, replica: Replica) -> None:
            part.used()
            await super().announce(replica)

    registry = Registry(1000, clock=lambda: NOW)
    async with Membership(registry, lambda: ONE, heartbeat_s=0.01) as membership:
        yield membership._beating
        assert len(await registry.replicas()) == 1


@asynccontextmanager
async def discover(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class NoServers(Runtime):
        async def servers(self) -> Mapping[str, Mapping[str, BackendServer]]:
            part.used()
            return {}

    registry = MemoryRegistry(1000, clock=lambda: NOW)
    settings = DiscoverSettings(every_s=0.01)
    runtime = NoServers(folder / "none.sock")
    async with reconcile.Reconciler(registry, runtime, settings, lease_s=1) as follower:
        yield follower.loop


@asynccontextmanager
async def connections(part: Part, _folder: Path) -> AsyncIterator[Loop]:
    def connections() -> Sequence[object]:
        part.used()
        return ()

    async with connection_limits.watching(connections) as loop:
        yield loop


class Breaking:
    """Whoever erases, and a catalog: as far as their duties need them."""

    def __init__(self, part: Part) -> None:
        self._part = part

    async def compaction_due(self) -> bool:
        self._part.used()
        return False

    async def flush(self) -> None:
        self._part.used()


def duty(name: str) -> Callable[[Part, Path], Begun]:
    @asynccontextmanager
    async def begun(part: Part, folder: Path) -> AsyncIterator[Loop]:
        def clock() -> int:
            part.used()
            return NOW

        async with open_resources(Settings(data=folder / "data")) as parts:
            breaking: Any = Breaking(part)
            broken = replace(parts, clock=clock, erases=breaking, catalog=breaking)
            watched = broken if name in ("compaction", "audit-log") else replace(parts, clock=clock)
            (loop,) = [each for each in duties(watched) if each.state.name == name]
            async with loop:
                yield loop

    return begun


@asynccontextmanager
async def scheduled_export(part: Part, folder: Path) -> AsyncIterator[Loop]:
    def clock() -> int:
        part.used()
        return NOW

    async with open_resources(Settings(data=folder / "data")) as parts:
        export = ScheduledExport(
            ExportsSettings.model_validate({"target": str(folder / "exported")}),
            catalog=parts.catalog,
            store=parts.store,
            scratch=folder,
            progress=folder / "exports.json",
            clock=clock,
            settle=parts.settle,
        )
        async with exports(export) as loop:
            yield loop


@asynccontextmanager
async def outbox_relay(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class Breaking(OutboxRelay):
        def step(self) -> None:
            part.used()

    with Breaking(StateDirectory(folder), IgniteSettings(), CassandraSettings()) as relay:
        yield relay


@asynccontextmanager
async def lag_alarm(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class Breaking(LagAlarm):
        def _check(self) -> None:
            part.used()

    with Breaking(StateDirectory(folder), KafkaSettings(), every_s=0.01) as alarm:
        yield alarm


@asynccontextmanager
async def dead_letters(part: Part, folder: Path) -> AsyncIterator[Loop]:
    class Breaking(DeadLetters):
        def step(self) -> None:
            part.used()

    with Breaking(StateDirectory(folder), KafkaSettings()) as letters:
        yield letters


@asynccontextmanager
async def kafka_connection(part: Part, _folder: Path) -> AsyncIterator[Loop]:
    class Breaking(KafkaLog):
        async def _connect(self) -> None:
            self._tried.set()
            part.used()

    async with Breaking(KafkaSettings()) as log:
        yield log._connecting


BEGIN: Mapping[str, Callable[[Part, Path], Begun]] = {
    "projector": projector,
    "remembered-ids": remembered_ids,
    "spool": spool,
    "spool-watch": spool_watch,
    "catalog": catalog,
    "freshness": freshness,
    "follower": follower,
    "membership": membership,
    "discover": discover,
    "connections": connections,
    "salts": duty("salts"),
    "retention": duty("retention"),
    "cells": duty("cells"),
    "compaction": duty("compaction"),
    "audit-log": duty("audit-log"),
    "disk": duty("disk"),
    "exports": scheduled_export,
    "outbox-relay": outbox_relay,
    "lag-alarm": lag_alarm,
    "dead-letters": dead_letters,
    "kafka-connection": kafka_connection,
}

ERRORS = [OverflowError("date value out of range"), sqlite3.DatabaseError("disk I/O error")]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def shown(state: LoopState, path: str) -> str:
    """What a server that has this loop answers."""
    routes = [
        *Health({}, loops=[state]).routes(),
        *metrics.routes(RequestCounts(), {}, (), [state]),
    ]
    transport = httpx2.ASGITransport(
        Gate([Module(name="gateway", routes=routes)], ["gateway"]), client=("127.0.0.1", 1)
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://h.example") as client:
        return (await client.get(path)).text


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", BEGIN)
async def test_it_goes_on_after_an_error_that_nobody_expected(
    name: str, error: Exception, tmp_path: Path
) -> None:
    part = Part(error)
    with capture_logs() as logs:
        async with BEGIN[name](part, tmp_path) as loop:
            state = loop.state
            await until(lambda: state.failures > 0)
            ready = json.loads(await shown(state, "/health/ready"))
            assert ready["background"][name]["error"] == type(error).__name__
            assert ready["status"] == ("unready" if state.essential else "ready")
            assert name in ready["checks" if state.essential else "degraded"]
            assert str(error) not in str(ready)
            before = state.failures
            metrics = await shown(state, "/metrics")
            counted = re.search(
                rf'^analytics_background_failures_total{{loop="{name}"}} (.*)$', metrics, re.M
            )
            assert counted is not None
            assert before <= float(counted[1]) <= state.failures
            part.broken = False
            if isinstance(loop, BackgroundLoop):
                loop.wake()
            await until(lambda: state.error is None and state.successes > 0)
            ready = json.loads(await shown(state, "/health/ready"))
            assert (ready["status"], ready["degraded"]) == ("ready", {})
            assert ready["background"][name]["last_success"] is not None
    failed = [each for each in logs if each["event"] == "background_failed"]
    assert failed[0]["loop"] == name
    assert (type(failed[0]["exc_info"]), str(failed[0]["exc_info"])) == (type(error), str(error))


LOOPS = {"BackgroundLoop", "BackgroundThread"}


def loop_names(tree: ast.Module) -> Iterator[object]:
    """Yield the first argument of each loop that is made: called, or the base of a class."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=kind), args=[ast.Constant(name), *_]) if kind in LOOPS:
                yield name
            case ast.ClassDef(bases=[ast.Name(id=kind)], body=body) if kind in LOOPS:
                for each in (each for part in body for each in ast.walk(part)):
                    match each:
                        case ast.Call(
                            func=ast.Attribute(attr="__init__"), args=[ast.Constant(name), *_]
                        ):
                            yield name


def test_every_loop_of_the_program_is_here() -> None:
    sources = (path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert {name for each in sources for name in loop_names(ast.parse(each))} == {*BEGIN}
