"""Compares the registry with a balancer again and again, and does what is to be done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import msgspec
import structlog

from analytics.background import BackgroundLoop
from analytics.balancer import plan
from analytics.balancer.plan import Action, Step
from analytics.balancer.runtime import BackendServer, Runtime, ServerState
from analytics.errors import AnalyticsError, RegistryUnavailable, Unavailable
from analytics.parsing import host_and_port
from analytics.registry.base import Registry, Replica
from analytics.settings import DiscoverSettings

log = structlog.get_logger()


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: what there was before it, and what was done."""

    replicas: Sequence[Replica]
    servers: Sequence[BackendServer]
    """Those that are ours."""
    done: Sequence[str]
    """In words: `ingest/replica-10.0.0.1:8000 added`."""
    faults: Sequence[str]
    """What went wrong; what it was about is tried again in the next round."""


class Reconciler:
    """Keeps the servers behind *runtime* equal to the replicas in *registry*.

    All it needs to know is in these two, so it may be ended and begun again, and several may work
    at once. When the registry is away, everything stays as it is; when it is back, or was empty,
    replicas have one lease to say that they are there before one that works is taken away.
    """

    def __init__(
        self,
        registry: Registry,
        runtime: Runtime,
        settings: DiscoverSettings,
        *,
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._runtime = runtime
        self._settings = settings
        self._lease_s = lease_s
        self._clock = clock
        self._patient_until = 0.0
        self._draining: dict[str, float] = {}
        self._said: frozenset[str] = frozenset()
        self.loop = BackgroundLoop(
            "discover",
            self._round,
            every_s=settings.every_s,
            meanwhile="The balancer's servers stay as they are.",
            longest_pause_s=settings.every_s,
        )

    async def __aenter__(self) -> Self:
        self.wait_a_lease()
        self.loop.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.loop.stop()

    async def _round(self) -> None:
        self._tell((await self.round()).faults)

    def wait_a_lease(self) -> None:
        """Take nobody who works away for one lease: the list may not be whole yet."""
        self._patient_until = self._clock() + self._lease_s

    async def round(self) -> Reconciliation:
        """Compare once. Raises `Unavailable` or `Misconfigured` if the balancer can't be asked."""
        servers = await self._runtime.servers()
        ours = [
            server
            for backend in plan.MODULES
            for name, server in servers.get(backend, {}).items()
            if name.startswith(plan.PREFIX)
        ]
        faults: list[str] = []
        try:
            listed = await self._registry.replicas()
            replicas = [each.replica for each in listed if not each.out_of_service]
        except RegistryUnavailable as exc:
            self.wait_a_lease()
            faults.append(f"the registry is away, so all servers stay as they are: {exc}")
            return Reconciliation(replicas=(), servers=ours, done=(), faults=faults)
        if not replicas:
            self.wait_a_lease()
        found = await self._found(replicas, faults)
        todo = plan.steps(
            replicas,
            found,
            servers,
            patient=self._clock() < self._patient_until,
            overdue=self._overdue(ours),
        )
        done = [said for step in todo if (said := await self._do(step, faults))]
        return Reconciliation(replicas=replicas, servers=ours, done=done, faults=faults)

    async def _do(self, step: Step, faults: list[str]) -> str | None:
        """What was done, in words; None if nothing was."""
        runtime, path = self._runtime, step.path
        done = True
        try:
            match step.action:
                case Action.ADD:
                    options = self._settings.options_in(step.backend)
                    done = await runtime.add(path, step.address, options)
                    await runtime.ready(path)
                case Action.READY:
                    await runtime.ready(path)
                case Action.MOVE:
                    host, port = host_and_port(step.address)
                    await runtime.move(path, host, str(port))
                case Action.DRAIN:
                    await runtime.drain(path)
                case Action.REMOVE:
                    done = await runtime.remove(path)
        except Unavailable:
            raise
        except AnalyticsError as exc:
            faults.append(str(exc))
            return None
        if not done:
            return None
        log.info("server_changed", server=path, address=step.address, now=step.action.value)
        return f"{path} {step.action.value}"

    async def _found(self, replicas: Sequence[Replica], faults: list[str]) -> Mapping[str, str]:
        """The address of each replica with its host as a number: HAProxy looks up no name here."""
        found = {}
        for address in [each.address for each in replicas]:
            if not plan.understood(address):
                faults.append(f"the registry has a replica at {address!r}, which is not an address")
                continue
            try:
                host, port = host_and_port(address)
                infos = await asyncio.get_running_loop().getaddrinfo(host, port)
            except OSError as exc:
                faults.append(f"{address} can't be found: {exc.strerror or exc}")
                continue
            number = infos[0][4][0]
            found[address] = f"[{number}]:{port}" if ":" in str(number) else f"{number}:{port}"
        return found

    def _overdue(self, ours: Sequence[BackendServer]) -> frozenset[str]:
        """Those that are draining for longer than they may."""
        now = self._clock()
        draining = {server.path for server in ours if server.state is ServerState.DRAIN}
        self._draining = {path: self._draining.get(path, now) for path in draining}
        limit = self._settings.drain_s
        return frozenset(path for path, since in self._draining.items() if now - since >= limit)

    def _tell(self, faults: Sequence[str]) -> None:
        """Log what is newly wrong, and what is right again."""
        now = frozenset(faults)
        for fault in sorted(now - self._said):
            log.warning("discover_fault", error=fault)
        for fault in sorted(self._said - now):
            log.info("discover_fault_over", error=fault)
        self._said = now
