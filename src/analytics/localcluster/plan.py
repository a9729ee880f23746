"""What a cluster on this machine consists of: how many of each, on which ports."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

import msgspec

from analytics import durable_file
from analytics.errors import UNDECODABLE, Misconfigured

HOST: Final = "127.0.0.1"
PORTS: Final = 100
"""How many ports a cluster has to itself, from its base on."""
_FREE_BASES: Final = range(20_000, 32_000, PORTS)  # below those that the system gives away


class ClusterPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster on this machine. It is written down, because its data belong to its shape."""

    base: int
    kafka_nodes: int = 1
    ignite_nodes: int = 1
    replicas: int = 2

    def kafka(self, node: int) -> int:
        """Where broker *node* (from 1) listens."""
        return self.base + node

    def controller(self, node: int) -> int:
        """Where the brokers elect."""
        return self.base + 10 + node

    @property
    def cassandra(self) -> int:
        """Where Cassandra listens."""
        return self.base + 20

    @property
    def cassandra_storage(self) -> int:
        """Where Cassandra would talk to other nodes of its kind."""
        return self.base + 21

    def ignite(self, node: int) -> int:
        """Where Ignite node *node* (from 1) listens to clients."""
        return self.base + 30 + node

    def ignite_discovery(self, node: int) -> int:
        """Where Ignite's nodes find each other."""
        return self.base + 40 + node

    def ignite_communication(self, node: int) -> int:
        """Where Ignite's nodes talk to each other."""
        return self.base + 50 + node

    @property
    def spark_metrics(self) -> int:
        """Where the Spark job tells how it is."""
        return self.base + 60

    def replica(self, number: int) -> int:
        """Where replica *number* (from 1) serves."""
        return self.base + 70 + number

    @property
    def front(self) -> int:
        """Where HAProxy listens, in front of the replicas."""
        return self.base + 80

    @property
    def front_statistics(self) -> int:
        """Where HAProxy tells how it is."""
        return self.base + 81

    @property
    def brokers(self) -> tuple[str, ...]:
        """The addresses of all brokers."""
        return tuple(f"{HOST}:{self.kafka(n)}" for n in self.kafkas)

    @property
    def kafkas(self) -> range:
        """The numbers of the brokers."""
        return range(1, self.kafka_nodes + 1)

    @property
    def ignites(self) -> range:
        """The numbers of Ignite's nodes."""
        return range(1, self.ignite_nodes + 1)


def load(folder: Path) -> ClusterPlan | None:
    """The plan of the cluster in *folder*; None when there is none yet."""
    try:
        return msgspec.json.decode((folder / "plan.json").read_bytes(), type=ClusterPlan)
    except FileNotFoundError:
        return None
    except UNDECODABLE as exc:
        raise Misconfigured(f"{folder / 'plan.json'}: cannot be understood: {exc}") from exc


def agreed(
    folder: Path, *, base: int, kafka_nodes: int | None, ignite_nodes: int | None
) -> ClusterPlan:
    """The plan of the cluster in *folder*, made if it is new; *base* 0 takes free ports.

    Raises `Misconfigured` when the cluster that is there has another shape.
    """
    plan = load(folder)
    if plan is None:
        plan = ClusterPlan(
            base=base or _free_base(),
            kafka_nodes=kafka_nodes or 1,
            ignite_nodes=ignite_nodes or 1,
        )
        folder.mkdir(parents=True, exist_ok=True)
        durable_file.replace(folder / "plan.json", msgspec.json.encode(plan))
        return plan
    for what, asked, there in (
        ("Kafka brokers", kafka_nodes, plan.kafka_nodes),
        ("Ignite nodes", ignite_nodes, plan.ignite_nodes),
    ):
        if asked is not None and asked != there:
            raise Misconfigured(
                f"the cluster in {folder} has {there} {what}, and its data are spread over them; "
                f"for {asked} begin anew in another folder with --data"
            )
    return plan


def _free_base() -> int:
    """The first port of a block in which nobody listens."""
    for base in random.sample(_FREE_BASES, len(_FREE_BASES)):
        if all(_free(port) for port in range(base, base + PORTS)):
            return base
    raise Misconfigured("there is no block of a hundred free ports; name one with --port-base")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
