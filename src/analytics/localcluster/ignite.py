"""An Ignite node of a local cluster, which writes durable tables to Cassandra."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Final

from analytics.errors import StoreUnavailable
from analytics.localcluster.base import unreachable
from analytics.localcluster.node_xml import Node, node_xml
from analytics.localcluster.plan import HOST, ClusterPlan
from analytics.localcluster.process import LaunchCommand
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store.ignite.client import IgniteClient
from analytics.store.ignite.tables import TABLES

_OPENS: Final = (
    "java.base/jdk.internal.access", "java.base/jdk.internal.misc", "java.base/sun.nio.ch",
    "java.base/sun.util.calendar", "java.management/com.sun.jmx.mbeanserver",
    "jdk.internal.jvmstat/sun.jvmstat.monitor", "java.base/sun.reflect.generics.reflectiveObjects",
    "jdk.management/com.sun.management.internal", "java.base/java.io", "java.base/java.nio",
    "java.base/java.net", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.locks", "java.base/java.util.concurrent.atomic",
    "java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.math", "java.sql/java.sql",
    "java.base/java.lang.reflect", "java.base/java.time", "java.base/java.text",
    "java.management/sun.management", "java.desktop/java.awt.font",
)  # fmt: skip
OPTIONS: Final = (
    "-XX:+ExitOnOutOfMemoryError",
    *(f"--add-opens={each}=ALL-UNNAMED" for each in _OPENS),
    "-Djava.net.preferIPv4Stack=true",
    "-DIGNITE_QUIET=true",
    "-DIGNITE_NO_ASCII=true",
    "-DIGNITE_UPDATE_NOTIFIER=false",
)
"""The options of Java that Ignite needs on any machine."""


class IgniteNode:
    """Node *number* of a plan."""

    def __init__(
        self,
        plan: ClusterPlan,
        number: int,
        folder: Path,
        *,
        java: Path,
        jars: Path,
        heap: int,
        memory: int,
        cassandra: CassandraSettings,
    ) -> None:
        self.name = f"ignite-{number}"
        self.port = plan.ignite(number)
        self._plan = plan
        self._folder = folder / self.name
        self._java = java
        self._jars = jars
        self._heap = heap
        self._cassandra = cassandra
        self._node = Node(
            name=self.name,
            host=HOST,
            client_port=self.port,
            discovery_port=plan.ignite_discovery(number),
            communication_port=plan.ignite_communication(number),
            discovery=[f"{HOST}:{plan.ignite_discovery(each)}" for each in plan.ignites],
            memory=memory,
            backups=min(1, plan.ignite_nodes - 1),
        )

    def prepare(self) -> LaunchCommand:
        """See `ManagedServer.prepare`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "node.xml"
        configuration.touch(mode=0o600)  # it may hold a password
        configuration.write_text(node_xml(self._node, self._cassandra))
        return LaunchCommand(
            arguments=[
                str(self._java),
                f"-Xms{self._heap >> 20}m",
                f"-Xmx{self._heap >> 20}m",
                *OPTIONS,
                f"-DIGNITE_HOME={self._folder / 'home'}",
                *("-cp", f"{self._jars}/*"),
                "org.apache.ignite.startup.cmdline.CommandLineStartup",
                str(configuration),
            ],
            folder=self._folder,
        )

    async def fault(self) -> str | None:
        """See `ManagedServer.fault`."""
        closed = await unreachable(self.port)
        if closed is not None:
            return closed
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> str | None:
        settings = IgniteSettings(addresses=(f"{HOST}:{self.port}",))
        with closing(IgniteClient(settings)) as client:
            try:
                ((count,),) = client.rows("SELECT COUNT(*) FROM SYS.NODES")
                names = {name for (name,) in client.rows("SELECT TABLE_NAME FROM SYS.TABLES")}
                if not {table.name.upper() for table in TABLES} <= names:
                    return "its tables are not there yet"
                for table in TABLES:  # a table that exists can be queried only a moment later
                    client.rows(f"SELECT 1 FROM {table.name} LIMIT 1")  # noqa: S608 - names of our own
            except StoreUnavailable as exc:
                return f"it does not answer: {exc}"
        if count < self._plan.ignite_nodes:
            return f"it sees {count} of {self._plan.ignite_nodes} nodes"
        return None
