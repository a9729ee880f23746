"""The list of running replicas on the server's page: address, modules, health."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from analytics.dashboard import figure_format
from analytics.dashboard.context import DashboardContext
from analytics.errors import RegistryUnavailable
from analytics.registry.base import Listed

_DAY_S: Final = 86_400


class ReplicaRow(NamedTuple):
    """One replica, in words."""

    address: str
    modules: Sequence[str]
    version: str
    fault: str
    """The reason why it is not ready; "" when it is."""
    up: str
    """The time since its start, such as `3m 05s`."""
    seen_s: float
    """Seconds since its last heartbeat."""


class Replicas(NamedTuple):
    """All replicas, or the reason why the list cannot be read."""

    rows: Sequence[ReplicaRow]
    fault: str


async def read(deps: DashboardContext) -> Replicas:
    """Return the replicas that are on the list now."""
    try:
        listed = await deps.replicas()
    except RegistryUnavailable as exc:
        return Replicas((), str(exc))
    return Replicas([described(each, deps.clock()) for each in listed], "")


def described(listed: Listed, now: int) -> ReplicaRow:
    """Return *listed* in words at *now* (UTC milliseconds).

    Clocks of other machines may be ahead, so no age is negative.
    """
    replica = listed.replica
    return ReplicaRow(
        address=replica.address,
        modules=replica.modules,
        version=replica.version,
        fault=replica.fault,
        up=_age((now - replica.started_at) / 1000),
        seen_s=max(0, now - listed.seen_at) / 1000,
    )


def _age(seconds: float) -> str:
    return (
        figure_format.duration(max(0, seconds))
        if seconds < 2 * _DAY_S
        else f"{seconds // _DAY_S:.0f} days"
    )
