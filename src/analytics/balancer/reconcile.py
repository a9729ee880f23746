"""Applies the differences between the registry and a balancer, at an interval."""

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
    """The result of one comparison: the state before it, and the changes made."""

    replicas: Sequence[Replica]
    servers: Sequence[BackendServer]
    """The managed servers, as they were before."""
    done: Sequence[str]
    """The changes, such as `ingest/discovered-10.0.0.1:8000 added`."""
    faults: Sequence[str]
    """Errors; the next round tries again."""


class Reconciler:
    """Keeps the servers behind *runtime* equal to the replicas in *registry*.

    It keeps no state of its own, so it may be restarted, and several may work at once. While the
    registry is unavailable nothing changes; after that, or after an empty list, replicas have one
    lease to register before a working server is drained.
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
        self._reported: frozenset[str] = frozenset()
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
        self._report((await self.round()).faults)

    def wait_a_lease(self) -> None:
        """Drain no working server for one lease: the list of replicas may be incomplete."""
        self._patient_until = self._clock() + self._lease_s

    async def round(self) -> Reconciliation:
        """Compare and apply once. Raise `Unavailable` or `Misconfigured` as `Runtime` does."""
        servers = await self._runtime.servers()
        managed = [
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
            faults.append(f"the registry is unavailable, so all servers stay as they are: {exc}")
            return Reconciliation(replicas=(), servers=managed, done=(), faults=faults)
        if not replicas:
            self.wait_a_lease()
        resolved = await self._resolved(replicas, faults)
        todo = plan.steps(
            replicas,
            resolved,
            servers,
            patient=self._clock() < self._patient_until,
            overdue=self._overdue(managed),
        )
        done = [change for step in todo if (change := await self._do(step, faults))]
        return Reconciliation(replicas=replicas, servers=managed, done=done, faults=faults)

    async def _do(self, step: Step, faults: list[str]) -> str | None:
        """Apply *step*; return the change in words, or None if there was none."""
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

    async def _resolved(self, replicas: Sequence[Replica], faults: list[str]) -> Mapping[str, str]:
        """Map each replica's address to one with an IP address: HAProxy resolves no names here."""
        resolved = {}
        for address in [each.address for each in replicas]:
            if not plan.is_address(address):
                faults.append(f"the registry has a replica at {address!r}, which is not an address")
                continue
            try:
                host, port = host_and_port(address)
                infos = await asyncio.get_running_loop().getaddrinfo(host, port)
            except OSError as exc:
                faults.append(f"{address} cannot be resolved: {exc.strerror or exc}")
                continue
            number = infos[0][4][0]
            resolved[address] = f"[{number}]:{port}" if ":" in str(number) else f"{number}:{port}"
        return resolved

    def _overdue(self, managed: Sequence[BackendServer]) -> frozenset[str]:
        """Return the paths of servers that have drained for longer than `discover.drain_s`."""
        now = self._clock()
        draining = {server.path for server in managed if server.state is ServerState.DRAIN}
        self._draining = {path: self._draining.get(path, now) for path in draining}
        limit = self._settings.drain_s
        return frozenset(path for path, since in self._draining.items() if now - since >= limit)

    def _report(self, faults: Sequence[str]) -> None:
        """Log new faults, and those that are over."""
        now = frozenset(faults)
        for fault in sorted(now - self._reported):
            log.warning("discover_fault", error=fault)
        for fault in sorted(self._reported - now):
            log.info("discover_fault_over", error=fault)
        self._reported = now
