"""Builds the servers that a plan consists of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analytics.localcluster import front, jars
from analytics.localcluster.base import ManagedServer
from analytics.localcluster.cassandra import CassandraNode
from analytics.localcluster.configuration import resolved
from analytics.localcluster.front import Front
from analytics.localcluster.ignite import IgniteNode
from analytics.localcluster.jars import Jars, Say
from analytics.localcluster.kafka import KafkaBroker
from analytics.localcluster.plan import ClusterPlan
from analytics.localcluster.programs import DiscoverProcess, ReplicaProcess, SparkJobProcess
from analytics.settings import Settings

KINDS: Final = ("kafka", "cassandra", "ignite", "spark-job", "replica", "front")
"""The order in which they start: each uses those before it."""
_WITH_JARS: Final = {
    "kafka": "kafka",
    "cassandra": "cassandra",
    "ignite": "ignite",
    "spark-job": "spark",
}


class ServerSet:
    """The servers of one cluster, by kind."""

    def __init__(
        self, settings: Settings, plan: ClusterPlan, folder: Path, configuration: Path
    ) -> None:
        self.settings = resolved(settings, plan)
        self._plan = plan
        self._folder = folder
        self._configuration = configuration

    def fetch(self, kind: str, say: Say) -> None:
        """Check Java, and fetch the jars of servers of *kind*. Raise as `Jars.of` does."""
        if kind in _WITH_JARS:
            jars.java(self.settings.cluster.java)
            Jars(self.settings.cluster, say).of(_WITH_JARS[kind])
        if kind == "front" and front.located(self.settings.cluster.haproxy) is None:
            say(f"front: left out, because {front.missing(self.settings.cluster.haproxy)}")

    def of(self, kind: str) -> Sequence[ManagedServer]:
        """Return the servers of *kind*."""
        match kind:
            case "kafka":
                return [self._kafka(node) for node in self._plan.kafkas]
            case "cassandra":
                return [self._cassandra()]
            case "ignite":
                return [self._ignite(number) for number in self._plan.ignites]
            case "spark-job":
                return [
                    SparkJobProcess(
                        self._plan,
                        self._folder,
                        configuration=self._configuration,
                        java=self._java,
                    )
                ]
            case "front":
                command = front.located(self.settings.cluster.haproxy)
                return [] if command is None else self._front(command)
            case _:
                return [
                    ReplicaProcess(
                        self._plan, number, self._folder, configuration=self._configuration
                    )
                    for number in range(1, self._plan.replicas + 1)
                ]

    def _front(self, command: Path) -> Sequence[ManagedServer]:
        front = Front(self._plan, self._folder, command=command)
        return [
            front,
            DiscoverProcess(self._folder, socket=front.socket, configuration=self._configuration),
        ]

    def _kafka(self, node: int) -> KafkaBroker:
        return KafkaBroker(
            self._plan,
            node,
            self._folder,
            java=self._java,
            jars=self._jars("kafka"),
            heap=self.settings.cluster.kafka_heap,
        )

    def _cassandra(self) -> CassandraNode:
        return CassandraNode(
            self._plan,
            self._folder,
            java=self._java,
            jars=self._jars("cassandra"),
            heap=self.settings.cluster.cassandra_heap,
        )

    def _ignite(self, number: int) -> IgniteNode:
        return IgniteNode(
            self._plan,
            number,
            self._folder,
            java=self._java,
            jars=self._jars("ignite"),
            heap=self.settings.cluster.ignite_heap,
            memory=self.settings.cluster.ignite_memory,
            cassandra=self.settings.cassandra,
        )

    @property
    def _java(self) -> Path:
        return jars.located(self.settings.cluster.java)

    def _jars(self, server: str) -> Path:
        return Jars(self.settings.cluster, lambda _: None).folder_of(server)
