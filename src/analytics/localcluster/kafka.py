"""A Kafka broker of a local cluster, which is also a controller (KRaft)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from analytics.errors import LogUnavailable, Misconfigured
from analytics.localcluster.base import unreachable
from analytics.localcluster.plan import HOST, ClusterPlan
from analytics.localcluster.process import LaunchCommand
from analytics.settings import KafkaSettings as Settings
from analytics.stream.kafka import topic

_CLUSTER_ID: Final = "YW5hbHl0aWNzLWNsdXN0ZQ"
"""Sixteen bytes in base 64. Any will do: these brokers only know each other."""
_LOG4J: Final = """\
status = warn
appender.console.type = Console
appender.console.name = STDOUT
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = INFO
rootLogger.appenderRef.stdout.ref = STDOUT
"""


class KafkaBroker:
    """Broker *node* of a plan."""

    def __init__(
        self, plan: ClusterPlan, node: int, folder: Path, *, java: Path, jars: Path, heap: int
    ) -> None:
        self.name = f"kafka-{node}"
        self.port = plan.kafka(node)
        self._plan = plan
        self._node = node
        self._folder = folder / self.name
        self._java = java
        self._jars = jars
        self._heap = heap

    def prepare(self) -> LaunchCommand:
        """See `ManagedServer.prepare`; formats the broker's folder if it is new."""
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        properties.write_text(self._properties())
        (self._folder / "log4j2.properties").write_text(_LOG4J)
        if not (self._folder / "data" / "meta.properties").is_file():
            self._format(properties)
        return LaunchCommand(
            arguments=[*self._java_command(self._heap), "kafka.Kafka", str(properties)],
            folder=self._folder,
        )

    async def fault(self) -> str | None:
        """See `ManagedServer.fault`."""
        closed = await unreachable(self.port)
        if closed is not None:
            return closed
        try:
            brokers = await topic.brokers(Settings(bootstrap=(f"{HOST}:{self.port}",)))
        except LogUnavailable as exc:
            return str(exc)
        return None if self._node in brokers else "the other brokers do not know it yet"

    def _java_command(self, heap: int) -> list[str]:
        return [
            str(self._java),
            f"-Xms{heap >> 20}m",
            f"-Xmx{heap >> 20}m",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile=file:{self._folder / 'log4j2.properties'}",
            "-cp",
            f"{self._jars}/*",
        ]

    def _format(self, properties: Path) -> None:
        done = subprocess.run(  # noqa: S603 - a command of ours
            [
                *self._java_command(128 << 20),
                *("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            output = (done.stderr or done.stdout).strip().splitlines()
            raise Misconfigured(f"{self.name}: its folder cannot be formatted: {output[-1:]}")

    def _properties(self) -> str:
        plan, node = self._plan, self._node
        voters = ",".join(f"{n}@{HOST}:{plan.controller(n)}" for n in plan.kafkas)
        copies = min(3, plan.kafka_nodes)
        insync = min_insync(copies)
        return f"""\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{plan.controller(node)}
advertised.listeners=PLAINTEXT://{HOST}:{self.port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={self._folder / "data"}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={insync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={insync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={insync}
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
background.threads=2
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=8388608
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
"""


def min_insync(copies: int) -> int:
    """Return how many of *copies* must be written: one of three may be unavailable."""
    return 2 if copies >= 3 else 1
