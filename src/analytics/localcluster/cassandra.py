"""The single Cassandra node of a local cluster."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

from analytics.errors import Misconfigured, StoreUnavailable
from analytics.localcluster import keyspace
from analytics.localcluster.base import unreachable
from analytics.localcluster.plan import HOST, ClusterPlan
from analytics.localcluster.process import LaunchCommand
from analytics.settings import CassandraSettings as Settings

_LOGBACK: Final = """\
<configuration><appender name="S" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%d{HH:mm:ss.SSS} %-5level %logger{20} - %msg%n</pattern></encoder></appender>
<root level="INFO"><appender-ref ref="S"/></root></configuration>
"""
_EXPORTS: Final = (
    "java.base/jdk.internal.misc", "java.base/java.lang.ref", "java.sql/java.sql",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server", "jdk.unsupported/sun.misc",
)  # fmt: skip
_OPENS: Final = (
    "java.base/java.lang.module", "java.base/jdk.internal.loader", "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect", "java.base/jdk.internal.math",
    "java.base/jdk.internal.module", "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch", "java.base/java.io", "java.base/java.nio", "java.base/java.lang",
    "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
)  # fmt: skip


class CassandraNode:
    """The Cassandra node of a plan."""

    name = "cassandra"

    def __init__(
        self, plan: ClusterPlan, folder: Path, *, java: Path, jars: Path, heap: int
    ) -> None:
        self.port = plan.cassandra
        self._plan = plan
        self._folder = folder / self.name
        self._java = java
        self._jars = jars
        self._heap = heap

    def prepare(self) -> LaunchCommand:
        """See `ManagedServer.prepare`."""
        conf = self._folder / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        (conf / "cassandra.yaml").write_text(self._yaml())
        (conf / "logback.xml").write_text(_LOGBACK)
        return LaunchCommand(
            arguments=[
                str(self._java),
                f"-Xms{self._heap >> 20}m",
                f"-Xmx{self._heap >> 20}m",
                "-XX:+UseG1GC",
                "-XX:+ExitOnOutOfMemoryError",
                f"-javaagent:{self._agent()}",
                *(f"--add-exports={each}=ALL-UNNAMED" for each in _EXPORTS),
                *(f"--add-opens={each}=ALL-UNNAMED" for each in _OPENS),
                f"-Dcassandra.config={(conf / 'cassandra.yaml').as_uri()}",
                f"-Dlogback.configurationFile={conf / 'logback.xml'}",
                f"-Dcassandra.storagedir={self._folder / 'data'}",
                "-Dcassandra-foreground=yes",
                # A node that is alone has nobody to wait for.
                "-Dcassandra.skip_wait_for_gossip_to_settle=0",
                "-Dcassandra.ring_delay_ms=100",
                "-Dcassandra.superuser_setup_delay_ms=0",
                *("-cp", f"{conf}:{self._jars}/*"),
                "org.apache.cassandra.service.CassandraDaemon",
            ],
            folder=self._folder,
        )

    async def fault(self) -> str | None:
        """See `ManagedServer.fault`."""
        closed = await unreachable(self.port)
        if closed is not None:
            return closed
        try:
            await asyncio.to_thread(keyspace.ask, Settings(addresses=(f"{HOST}:{self.port}",)))
        except StoreUnavailable as exc:
            return str(exc)
        return None

    def _agent(self) -> Path:
        for jar in self._jars.glob("jamm-*.jar"):
            return jar
        raise Misconfigured(f"{self._jars} lacks jamm; delete the folder, and it is fetched again")

    def _yaml(self) -> str:
        data = self._folder / "data"

        def path(name: str) -> str:
            return json.dumps(str(data / name))  # quoted as YAML wants it, too

        return f"""\
cluster_name: analytics
num_tokens: 4
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
data_file_directories: [{path("data")}]
commitlog_directory: {path("commitlog")}
saved_caches_directory: {path("saved")}
hints_directory: {path("hints")}
cdc_raw_directory: {path("cdc")}
# What is confirmed is on the disk: with `periodic`, kill -9 would take the last moment with it.
commitlog_sync: group
commitlog_sync_group_window: 10ms
endpoint_snitch: SimpleSnitch
listen_address: {HOST}
rpc_address: {HOST}
native_transport_port: {self.port}
storage_port: {self._plan.cassandra_storage}
start_native_transport: true
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "{HOST}:{self._plan.cassandra_storage}"
"""
