"""`analytics cluster`: the servers of a cluster, on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from analytics import extras
from analytics.cli import table
from analytics.cli.options import as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.errors import Misconfigured

if TYPE_CHECKING:
    from analytics.localcluster.launcher import ClusterStatus, LocalCluster

_NO = 1
_KINDS = ("kafka", "cassandra", "ignite", "spark-job", "replica", "front")


@click.group()
def cluster() -> None:
    """Try cluster mode on this machine: Kafka, Spark, Ignite, Cassandra."""


@cluster.command()
@click.option("--nodes", type=click.Choice(["1", "3"]), help="Kafka brokers [1].")
@click.option("--ignite-nodes", type=click.Choice(["1", "2"]), help="Ignite nodes [1].")
@click.option("--port-base", metavar="P", help="First of a hundred ports; 0 for free ones [19000].")
@click.option(
    "--only",
    type=click.Choice(_KINDS),
    multiple=True,
    help="Start only this kind of server; may be given several times.",
)
@as_json
@common
def up(
    nodes: str | None,
    ignite_nodes: str | None,
    port_base: str | None,
    only: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Start every server that is not running, and wait until all are healthy.

    The first time it fetches the servers' jars with Maven, about 400 MB. Data and logs are kept in
    the data folder, in cluster/. It listens on this machine only.
    """
    state = asyncio.run(
        _machine(cluster__port_base=port_base).up(
            kafka_nodes=None if nodes is None else int(nodes),
            ignite_nodes=None if ignite_nodes is None else int(ignite_nodes),
            only=only or _KINDS,
        )
    )
    _show(state, as_json=as_json)


@cluster.command()
@as_json
@common
def status(*, as_json: bool) -> int:
    """Show the state of every server.

    Exits with 0 when all of them are healthy, with 1 when not.
    """
    state = asyncio.run(_machine().status())
    _show(state, as_json=as_json)
    return 0 if state.healthy else _NO


@cluster.command()
@click.argument("name", required=False)
@click.option("--lines", type=click.IntRange(min=1), default=40, help="How many lines [40].")
@common
def logs(name: str | None, lines: int) -> None:
    """Show what servers wrote last: all of them, or the one called NAME."""
    processes = _machine().processes
    log_files = {path.stem: path for path in sorted(processes.logs.glob("*.log"))}
    if name is not None and name not in log_files:
        raise Misconfigured(
            f"{name} wrote no log here; these did: {', '.join(log_files) or 'none'}"
        )
    for each, path in log_files.items():
        if name in (None, each):
            echo(f"── {path}")
            echo("\n".join(processes.tail(each)[-lines:]))


@cluster.command()
@common
def down() -> None:
    """End every server that `up` started. The data stay."""
    ended = _machine().down()
    echo(f"{ended} processes ended" if ended else "nothing runs")


@cluster.command()
@click.argument("servers", nargs=-1, type=click.Choice(["kafka", "cassandra", "ignite", "spark"]))
@common
def fetch(servers: tuple[str, ...]) -> None:
    """Fetch the jars of SERVERS now, all of them without any, so that nothing is fetched later.

    For an image, or for a machine that will have no way to Maven's repository.
    """
    from analytics.localcluster.jars import Jars

    jars = Jars(settings().cluster, lambda text: echo(text, err=True))
    for server in servers or ("kafka", "cassandra", "ignite", "spark"):
        echo(str(jars.of(server)))


@cluster.command()
@click.argument("server", type=click.Choice(["ignite", "cassandra"]))
@common
def config(server: str) -> None:
    """Print what a server elsewhere needs, for the settings in force.

    ignite: its node's configuration, to be started with. cassandra: the CQL that makes the
    keyspace, to be run by a user who may create it.
    """
    extras.require("a cluster", "cassandra")
    from analytics.localcluster import keyspace, node_xml

    if server == "ignite":
        echo(node_xml.elsewhere(settings()))
    else:
        echo(";\n".join(keyspace.statements(settings().cassandra)) + ";")


def _machine(**flags: object) -> LocalCluster:
    in_force = settings(**flags)
    extras.require("a cluster", "aiokafka", "cassandra", "pyarrow", "pyignite", "pyspark")
    # Here, because they bring in the servers' drivers.
    from analytics import logs as logging_
    from analytics.localcluster.launcher import LocalCluster

    logging_.configure(in_force.logs.model_copy(update={"level": "error"}))
    return LocalCluster(in_force, lambda text: echo(text, err=True))


def _show(state: ClusterStatus, *, as_json: bool) -> None:
    if as_json:
        show_json(state)
        return
    rows = [
        (each.name, each.address or "-", str(each.pid or "-"), each.detail or "healthy")
        for each in state.servers
    ]
    table.show(("server", "address", "process", "state"), rows, empty="Nothing runs.")
    for url in [state.front] if state.front else state.replicas:
        echo(f"\nReady at {url}/")
    echo(f"\nFor other commands: analytics --config {state.config} …")
