"""A cluster on this machine: brought up in order, looked at, taken down without a trace."""

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
    """How one server is."""

    name: str
    address: str
    """"" for one that listens nowhere."""
    pid: int | None
    healthy: bool
    detail: str
    """What is wrong with it; "" when nothing is."""


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the cluster is."""

    healthy: bool
    servers: Sequence[ServerStatus]
    replicas: Sequence[str]
    """The addresses at which visitors and people are served."""
    front: str | None
    """The address in front of all of them; None without HAProxy."""
    config: str
    """The configuration that its programs use; for `--config` of other commands."""


class LocalCluster:
    """The cluster in a data folder."""

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
        """Start what does not run, and return when all of it is healthy.

        What was started is ended again when it can't be finished.
        """
        process.supported()
        with self._alone():
            agreed = plan.agreed(
                self.folder,
                base=self._settings.cluster.port_base,
                kafka_nodes=kafka_nodes,
                ignite_nodes=ignite_nodes,
            )
            durable_file.replace(self.configuration, written(self._settings, agreed).encode())
            before = {each.name for each in self.processes.all() if each.alive}
            try:
                for kind in KINDS:
                    if kind in only:
                        await self._stage(kind, self._parts(agreed))
            except BaseException:
                self._say("it can't be finished: ending what was started")
                self._end([each.name for each in self.processes.all() if each.name not in before])
                raise
        return await self.status()

    async def _stage(self, kind: str, parts: ServerSet) -> None:
        """Start every server of *kind*; then make what has to lie in them."""
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
            if running is not None:  # what it left behind would get into the way of the new one
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
        """End everything that was started from here; how many processes that were."""
        if not self.folder.is_dir():
            return 0
        with self._alone():
            names = [each.name for each in self.processes.all()]
            self._end(names)
        return len(names)

    def _end(self, names: Sequence[str]) -> None:
        """End the processes called *names*: who uses others first."""
        for kind in reversed(KINDS):
            ending = [
                each
                for each in self.processes.all()
                if each.name in names and each.name.startswith(kind)
            ]
            if ending:
                self._say(f"ending {', '.join(each.name for each in ending)}")
                self.processes.end(ending, END_S)

    # Looking

    async def status(self) -> ClusterStatus:
        """Ask every server how it is."""
        agreed = plan.load(self.folder)
        if agreed is None:
            raise Misconfigured(
                f"there is no cluster in {self.folder}; `analytics cluster up` makes one"
            )
        started = {each.name for each in self.processes.all()}
        parts = self._parts(agreed)
        servers = [server for kind in KINDS for server in parts.of(kind) if server.name in started]
        found = await asyncio.gather(*(self._look(server) for server in servers))
        return ClusterStatus(
            healthy=bool(found) and all(each.healthy for each in found),
            servers=found,
            replicas=[f"http://{each.address}" for each in found if each.name[:7] == "replica"],
            front=next((f"http://{each.address}" for each in found if each.name == "front"), None),
            config=str(self.configuration),
        )

    async def _look(self, server: ManagedServer) -> ServerStatus:
        running = self.processes.find(server.name)
        if running is None or not running.alive:
            fault: str | None = "it does not run; `analytics cluster up` starts it again"
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
    def _alone(self) -> Iterator[None]:
        """While the block runs, no other command changes this cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        in_use = f"another `analytics cluster` command works on {self.folder}; wait for it"
        with file_lock.exclusive(self.folder / "lock", lambda: in_use):
            yield
