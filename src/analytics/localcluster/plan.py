"""The shape of a local cluster: the number of servers of each kind, and their ports."""

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
"""The number of ports that a cluster reserves, beginning at its base."""
_FREE_BASES: Final = range(20_000, 32_000, PORTS)  # below those that the system gives away


class ClusterPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A local cluster. It is stored, because the data belong to this shape."""

    base: int
    kafka_nodes: int = 1
    ignite_nodes: int = 1
    replicas: int = 2

    def kafka(self, node: int) -> int:
        """Return the port of broker *node* (from 1)."""
        return self.base + node

    def controller(self, node: int) -> int:
        """Return the port of broker *node*'s controller."""
        return self.base + 10 + node

    @property
    def cassandra(self) -> int:
        """Return Cassandra's port for clients."""
        return self.base + 20

    @property
    def cassandra_storage(self) -> int:
        """Return Cassandra's port for other Cassandra nodes."""
        return self.base + 21

    def ignite(self, node: int) -> int:
        """Return the client port of Ignite node *node* (from 1)."""
        return self.base + 30 + node

    def ignite_discovery(self, node: int) -> int:
        """Return the discovery port of Ignite node *node*."""
        return self.base + 40 + node

    def ignite_communication(self, node: int) -> int:
        """Return the port of Ignite node *node* for other Ignite nodes."""
        return self.base + 50 + node

    @property
    def spark_metrics(self) -> int:
        """Return the port of the Spark job's health and metrics."""
        return self.base + 60

    def replica(self, number: int) -> int:
        """Return the port of replica *number* (from 1)."""
        return self.base + 70 + number

    @property
    def front(self) -> int:
        """Return HAProxy's port."""
        return self.base + 80

    @property
    def front_statistics(self) -> int:
        """Return the port of HAProxy's statistics."""
        return self.base + 81

    @property
    def brokers(self) -> tuple[str, ...]:
        """Return the addresses of all brokers."""
        return tuple(f"{HOST}:{self.kafka(n)}" for n in self.kafkas)

    @property
    def kafkas(self) -> range:
        """Return the numbers of the brokers."""
        return range(1, self.kafka_nodes + 1)

    @property
    def ignites(self) -> range:
        """Return the numbers of the Ignite nodes."""
        return range(1, self.ignite_nodes + 1)


def load(folder: Path) -> ClusterPlan | None:
    """Return the plan of the cluster in *folder*, or None. Raise `Misconfigured` if unreadable."""
    try:
        return msgspec.json.decode((folder / "plan.json").read_bytes(), type=ClusterPlan)
    except FileNotFoundError:
        return None
    except UNDECODABLE as exc:
        raise Misconfigured(f"{folder / 'plan.json'}: cannot be understood: {exc}") from exc


def agreed(
    folder: Path, *, base: int, kafka_nodes: int | None, ignite_nodes: int | None
) -> ClusterPlan:
    """Return the plan of the cluster in *folder*, created if there is none.

    *base* is the first port of a new cluster, 0 for any free block. Raise `Misconfigured` if the
    existing cluster has another shape.
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
    for servers, count, planned in (
        ("Kafka brokers", kafka_nodes, plan.kafka_nodes),
        ("Ignite nodes", ignite_nodes, plan.ignite_nodes),
    ):
        if count is not None and count != planned:
            raise Misconfigured(
                f"the cluster in {folder} has {planned} {servers}, with its data on them;"
                f" for {count}, start a new cluster in another folder with --data"
            )
    return plan


def _free_base() -> int:
    """Return the first port of a block of free ones. Raise `Misconfigured` if there is none."""
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
