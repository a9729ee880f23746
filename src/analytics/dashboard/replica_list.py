"""The replicas as people see them: where each is, what it does, how it is."""

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
    """Why it can't do its work; "" when it can."""
    up: str
    """For how long."""
    seen_s: float
    """How long ago it last said that it is there."""


class Replicas(NamedTuple):
    """All of them, or why they can't be told."""

    rows: Sequence[ReplicaRow]
    fault: str


async def asked(deps: DashboardContext) -> Replicas:
    """Those on the list now."""
    try:
        listed = await deps.replicas()
    except RegistryUnavailable as exc:
        return Replicas((), str(exc))
    return Replicas([described(each, deps.clock()) for each in listed], "")


def described(listed: Listed, now: int) -> ReplicaRow:
    """*listed* as it is at *now*. Clocks of other machines may be ahead of ours."""
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
