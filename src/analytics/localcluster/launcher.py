"""Starts a local cluster in order, reports its state, and ends all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from analytics import durable_file, file_lock
from analytics.errors import Misconfigured, Unavailable
from analytics.localcluster import keyspace, plan, process
from analytics.localcluster.base import ManagedServer, address
from analytics.localcluster.configuration import written
from analytics.localcluster.jars import Say
from analytics.localcluster.plan import ClusterPlan
from analytics.localcluster.process import ManagedProcesses
from analytics.localcluster.servers import KINDS, ServerSet
from analytics.settings import Settings
from analytics.stream.kafka import topic

START_S: Final = 180.0
END_S: Final = 60.0
_POLL_S: Final = 0.25


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one server."""

    name: str
    address: str
    """"" if it does not listen."""
    pid: int | None
    healthy: bool
    detail: str
    """Why it is unhealthy; "" if it is healthy."""


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the cluster."""

    healthy: bool
    servers: Sequence[ServerStatus]
    replicas: Sequence[str]
    """The URLs of the replicas."""
    front: str | None
    """HAProxy's URL, for all replicas; None without HAProxy."""
    config: str
    """The path of the programs' configuration, for `--config` of other commands."""


class LocalCluster:
    """The local cluster of a data folder."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self.folder = (settings.data / "cluster").absolute()
        self.configuration = self.folder / "analytics.toml"
        self.processes = ManagedProcesses(self.folder)

    # Up

    async def up(
        self,
        *,
        kafka_nodes: int | None = None,
        ignite_nodes: int | None = None,
        only: Sequence[str] = KINDS,
    ) -> ClusterStatus:
        """Start the servers that are not running, and return when all are healthy.

        Raise `FolderInUse`, `Misconfigured`, or `Unavailable` for a server that is not ready after
        180 s; the servers started by this call are ended first.
        """
        process.supported()
        with self._locked():
            agreed = plan.agreed(
                self.folder,
                base=self._settings.cluster.port_base,
                kafka_nodes=kafka_nodes,
                ignite_nodes=ignite_nodes,
            )
            durable_file.replace(self.configuration, written(self._settings, agreed).encode())
            running = {each.name for each in self.processes.all() if each.alive}
            try:
                for kind in KINDS:
                    if kind in only:
                        await self._stage(kind, self._parts(agreed))
            except BaseException:
                self._say("the start failed: ending what was started")
                started = [each.name for each in self.processes.all() if each.name not in running]
                self._end(started)
                raise
        return await self.status()

    async def _stage(self, kind: str, parts: ServerSet) -> None:
        """Start every server of *kind*, then create Kafka's topic or Cassandra's keyspace."""
        await asyncio.to_thread(parts.fetch, kind, self._say)
        await asyncio.gather(*(self._start(server) for server in parts.of(kind)))
        if kind == "kafka":
            await topic.ensure(parts.settings.kafka)
        if kind == "cassandra":
            await asyncio.to_thread(keyspace.ensure, parts.settings.cassandra)

    def _parts(self, agreed: ClusterPlan) -> ServerSet:
        return ServerSet(self._settings, agreed, self.folder, self.configuration)

    async def _start(self, server: ManagedServer) -> None:
        running = self.processes.find(server.name)
        if running is None or not running.alive:
            if running is not None:  # its remaining children would be in the new one's way
                await asyncio.to_thread(self.processes.end, [running], 0)
            command = await asyncio.to_thread(server.prepare)
            running = self.processes.start(server.name, command)
        began = time.monotonic()
        while (fault := await server.fault()) is not None:
            if not running.alive:
                raise Unavailable(f"{server.name} ended: {self._last_words(server.name)}")
            if time.monotonic() - began > START_S:
                raise Unavailable(
                    f"{server.name} is not ready after {START_S:g} s ({fault}): "
                    f"{self._last_words(server.name)}"
                )
            await asyncio.sleep(_POLL_S)
        took = time.monotonic() - began
        where = f" at {address(server)}" if server.port else ""
        self._say(f"{server.name}: ready{where} after {took:.1f} s")

    def _last_words(self, name: str) -> str:
        lines = [line for line in self.processes.tail(name) if line.strip()][-3:]
        return f"{' / '.join(lines)[-600:]} (all of it: {self.processes.log(name)})"

    # Down

    def down(self) -> int:
        """End all processes of the cluster, and return their number. Raise `FolderInUse`."""
        if not self.folder.is_dir():
            return 0
        with self._locked():
            names = [each.name for each in self.processes.all()]
            self._end(names)
        return len(names)

    def _end(self, names: Sequence[str]) -> None:
        """End the processes called *names*, each before the servers it uses."""
        for kind in reversed(KINDS):
            ending = [
                each
                for each in self.processes.all()
                if each.name in names and each.name.startswith(kind)
            ]
            if ending:
                self._say(f"ending {', '.join(each.name for each in ending)}")
                self.processes.end(ending, END_S)

    # State

    async def status(self) -> ClusterStatus:
        """Return the state of every server. Raise `Misconfigured` if there is no cluster."""
        agreed = plan.load(self.folder)
        if agreed is None:
            raise Misconfigured(
                f"there is no cluster in {self.folder}; `analytics cluster up` creates one"
            )
        started = {each.name for each in self.processes.all()}
        parts = self._parts(agreed)
        servers = [server for kind in KINDS for server in parts.of(kind) if server.name in started]
        states = await asyncio.gather(*(self._state(server) for server in servers))
        return ClusterStatus(
            healthy=bool(states) and all(each.healthy for each in states),
            servers=states,
            replicas=[f"http://{each.address}" for each in states if each.name[:7] == "replica"],
            front=next((f"http://{each.address}" for each in states if each.name == "front"), None),
            config=str(self.configuration),
        )

    async def _state(self, server: ManagedServer) -> ServerStatus:
        running = self.processes.find(server.name)
        if running is None or not running.alive:
            fault: str | None = "it is not running; `analytics cluster up` starts it again"
        else:
            fault = await server.fault()
        return ServerStatus(
            name=server.name,
            address=address(server),
            pid=running.pid if running is not None and running.alive else None,
            healthy=fault is None,
            detail=fault or "",
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let no other command change this cluster while the block runs. Raise `FolderInUse`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        in_use = (
            f"another `analytics cluster` command is working on {self.folder}; wait for it to end"
        )
        with file_lock.exclusive(self.folder / "lock", lambda: in_use):
            yield
