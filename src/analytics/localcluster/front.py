"""HAProxy in front of a local cluster's replicas, with the same configuration as elsewhere."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from pathlib import Path
from typing import Final

from analytics import assets
from analytics.localcluster.plan import HOST, ClusterPlan
from analytics.localcluster.process import LaunchCommand
from analytics.localcluster.programs import unready

_MAX_CONNECTIONS: Final = 2000
# Where Debian has it, which is not on everybody's path.
_DEBIAN_PATH: Final = "/usr/sbin:/usr/local/sbin"


class Front:
    """The HAProxy of a plan. Its command must exist: see `located`."""

    name = "front"

    def __init__(self, plan: ClusterPlan, folder: Path, *, command: Path) -> None:
        self.port = plan.front
        self._plan = plan
        self._folder = folder / self.name
        self._command = command

    @property
    def socket(self) -> Path:
        """Return the admin socket, by which `analytics discover` adds and removes replicas."""
        return self._folder / "admin.sock"

    def prepare(self) -> LaunchCommand:
        """See `ManagedServer.prepare`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return LaunchCommand(
            arguments=[str(self._command), "-W", "-db", "-f", str(assets.haproxy())],
            folder=self._folder,
            environment={
                "FRONT_HTTP": f"{HOST}:{self.port}",
                "FRONT_STATISTICS": f"{HOST}:{self._plan.front_statistics}",
                "FRONT_SOCKET": str(self.socket),
                "FRONT_USER": pwd.getpwuid(os.getuid()).pw_name,
                "FRONT_GROUP": grp.getgrgid(os.getgid()).gr_name,
                "FRONT_MAXCONN": str(_MAX_CONNECTIONS),
            },
        )

    async def fault(self) -> str | None:
        """See `ManagedServer.fault`."""
        return await unready(self.port)


def located(command: str) -> Path | None:
    """Return the path of the HAProxy called *command*; None if it is not installed."""
    path = shutil.which(command) or shutil.which(command, path=_DEBIAN_PATH)
    return Path(path) if path else None


def missing(command: str) -> str:
    """Return an error message for a *command* that is not installed."""
    return (
        f"there is no command {command!r}. Install it (Debian: apt-get install haproxy), or name "
        "it with the setting cluster.haproxy"
    )
