"""Which replicas there are, told by themselves: the one place that names the backends."""

from __future__ import annotations

from collections.abc import Callable

from analytics import extras
from analytics.guard import Guard
from analytics.registry import guarded
from analytics.registry.base import Listed, Registry, Replica
from analytics.registry.guarded import GuardedRegistry
from analytics.registry.memory import MemoryRegistry
from analytics.settings import Settings

__all__ = ["Listed", "Registry", "Replica", "registry"]


def registry(
    settings: Settings, *, clock: Callable[[], int], guard: Guard | None = None
) -> Registry:
    """The registry that the settings name, not open yet; *clock* tells UTC milliseconds.

    Calls to one that is elsewhere pass *guard*.
    """
    ours = settings.registry
    if ours.backend == "none":
        return MemoryRegistry(ours.lease_s, clock=clock)
    guard = guard or guarded.guard(retry_after_s=ours.heartbeat_s)
    return GuardedRegistry(_elsewhere(settings, clock), guard)


def _elsewhere(settings: Settings, clock: Callable[[], int]) -> Registry:
    ours = settings.registry
    if ours.backend == "ignite":
        extras.require("registry.backend ignite", "pyignite")
        from analytics.registry.ignite import IgniteRegistry

        return IgniteRegistry(settings.ignite, ours.lease_s, clock=clock)
    extras.require("registry.backend eureka", "httpx2", extra="eureka")
    from analytics.registry.eureka import EurekaRegistry

    return EurekaRegistry(
        settings.eureka, lease_s=ours.lease_s, heartbeat_s=ours.heartbeat_s, clock=clock
    )
