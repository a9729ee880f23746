"""The registry of running replicas, and the function that opens the configured backend."""

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
    """Return the registry that *settings* name, not open yet; *clock* returns UTC milliseconds.

    Calls to a registry on other machines pass *guard*. Raise `Misconfigured` if the backend's
    driver is not installed.
    """
    chosen = settings.registry
    if chosen.backend == "none":
        return MemoryRegistry(chosen.lease_s, clock=clock)
    guard = guard or guarded.guard(retry_after_s=chosen.heartbeat_s)
    return GuardedRegistry(_remote(settings, clock), guard)


def _remote(settings: Settings, clock: Callable[[], int]) -> Registry:
    chosen = settings.registry
    if chosen.backend == "ignite":
        extras.require("registry.backend ignite", "pyignite")
        from analytics.registry.ignite import IgniteRegistry

        return IgniteRegistry(settings.ignite, chosen.lease_s, clock=clock)
    extras.require("registry.backend eureka", "httpx2", extra="eureka")
    from analytics.registry.eureka import EurekaRegistry

    return EurekaRegistry(
        settings.eureka, lease_s=chosen.lease_s, heartbeat_s=chosen.heartbeat_s, clock=clock
    )
