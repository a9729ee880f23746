"""`analytics discover`."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.errors import Misconfigured
from analytics.settings import Settings

if TYPE_CHECKING:
    from analytics.balancer.reconcile import Reconciler, Reconciliation
    from analytics.registry import Registry

_TRY_AGAIN = 3


@click.command()
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="HAProxy's runtime socket [/run/haproxy/admin.sock].",
)
@click.option("--once", is_flag=True, help="Compare once, say what was done, and end.")
@as_json
@common
def discover(socket: Path | None, *, once: bool, as_json: bool) -> int:
    """Keep HAProxy's servers equal to the replicas in the registry.

    Goes on until SIGTERM; the servers stay. With --once it exits with 3 when the registry or
    HAProxy is away.
    """
    in_force = settings(discover__socket=socket)
    if in_force.registry.backend == "none":
        raise Misconfigured(
            "registry.backend is none, so there is no list of replicas; set it to ignite or eureka"
        )
    if as_json and not once:
        raise Misconfigured("--json goes with --once; without it there is a log on standard error")
    if not once:
        # Here, because it takes longer to load than all that `--help` needs.
        from analytics import logs

        logs.configure(in_force.logs)
        asyncio.run(_follow(in_force))
        return 0
    reconciliation = asyncio.run(_once(in_force))
    if as_json:
        show_json(reconciliation)
    else:
        _show(reconciliation)
    return _TRY_AGAIN if reconciliation.faults else 0


async def _once(in_force: Settings) -> Reconciliation:
    async with _registry(in_force) as replicas:
        return await _follower(in_force, replicas).round()


async def _follow(in_force: Settings) -> None:
    async with _registry(in_force) as replicas:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        async with _follower(in_force, replicas):
            await stopped.wait()


def _registry(in_force: Settings) -> Registry:
    # Here, because it may bring in a driver.
    from analytics.registry import registry

    return registry(in_force, clock=lambda: time.time_ns() // 1_000_000)


def _follower(in_force: Settings, replicas: Registry) -> Reconciler:
    from analytics.balancer.reconcile import Reconciler
    from analytics.balancer.runtime import Runtime

    return Reconciler(
        replicas,
        Runtime(in_force.discover.socket),
        in_force.discover,
        lease_s=in_force.registry.lease_s,
    )


def _show(reconciliation: Reconciliation) -> None:
    for line in reconciliation.done:
        echo(line)
    for fault in reconciliation.faults:
        echo(f"FAULT  {fault}")
    if not (reconciliation.done or reconciliation.faults):
        echo("HAProxy's servers match the registry; nothing to do.")
