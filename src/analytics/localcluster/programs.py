"""The `analytics` processes of a local cluster: Spark job, replicas, and HAProxy's discovery."""

from __future__ import annotations

import asyncio
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from analytics.localcluster.base import CONNECT_S, unreachable
from analytics.localcluster.plan import HOST, ClusterPlan
from analytics.localcluster.process import LaunchCommand


class SparkJobProcess:
    """The `analytics spark-job` of a plan."""

    name = "spark-job"

    def __init__(self, plan: ClusterPlan, folder: Path, *, configuration: Path, java: Path) -> None:
        self.port = plan.spark_metrics
        self._folder = folder / self.name
        self._configuration = configuration
        self._java = java

    def prepare(self) -> LaunchCommand:
        """See `Server.prepare`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return LaunchCommand(
            arguments=[
                *(sys.executable, "-m", "analytics", "spark-job"),
                *("--config", str(self._configuration), "--data", str(self._folder)),
            ],
            folder=self._folder,
            environment={"JAVA_HOME": str(self._java.parents[1])},
        )

    async def fault(self) -> str | None:
        """See `Server.fault`."""
        return await unready(self.port)


class ReplicaProcess:
    """`analytics serve` number *number* of a plan."""

    def __init__(
        self, plan: ClusterPlan, number: int, folder: Path, *, configuration: Path
    ) -> None:
        self.name = f"replica-{number}"
        self.port = plan.replica(number)
        self._folder = folder / self.name
        self._configuration = configuration

    def prepare(self) -> LaunchCommand:
        """See `Server.prepare`."""
        return LaunchCommand(
            arguments=[
                *(sys.executable, "-m", "analytics", "serve"),
                *("--host", HOST, "--port", str(self.port)),
                *("--config", str(self._configuration), "--data", str(self._folder)),
            ],
            folder=self._folder.parent,
        )

    async def fault(self) -> str | None:
        """See `Server.fault`."""
        return await unready(self.port)


class DiscoverProcess:
    """The `analytics discover` of a plan; its HAProxy is ready once this has found replicas."""

    name = "front-discover"
    port = None

    def __init__(self, folder: Path, *, socket: Path, configuration: Path) -> None:
        self._folder = folder
        self._socket = socket
        self._configuration = configuration

    def prepare(self) -> LaunchCommand:
        """See `Server.prepare`."""
        return LaunchCommand(
            arguments=[
                *(sys.executable, "-m", "analytics", "discover"),
                *("--socket", str(self._socket), "--config", str(self._configuration)),
            ],
            folder=self._folder,
        )

    async def fault(self) -> str | None:
        """Return None: it has no port, and HAProxy's own check fails while it finds no replica."""
        return None


async def unready(port: int) -> str | None:
    """Return why the program at *port* is not ready; None if it is."""
    return await unreachable(port) or await asyncio.to_thread(_ask, port)


def _ask(port: int) -> str | None:
    connection = HTTPConnection(HOST, port, timeout=CONNECT_S)
    try:
        connection.request("GET", "/health/ready")
        reply = connection.getresponse()
        body = reply.read().decode("utf-8", "replace")
    except (OSError, HTTPException) as exc:
        return f"it does not answer: {exc}"
    finally:
        connection.close()
    return None if reply.status == 200 else body
