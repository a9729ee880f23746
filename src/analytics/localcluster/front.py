"""HAProxy in front of a cluster's replicas, with the configuration that is meant for everywhere."""

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
_ELSEWHERE: Final = "/usr/sbin:/usr/local/sbin"


class Front:
    """HAProxy of a plan. Its command must be there: see `located`."""

    name = "front"

    def __init__(self, plan: ClusterPlan, folder: Path, *, command: Path) -> None:
        self.port = plan.front
        self._plan = plan
        self._folder = folder / self.name
        self._command = command

    @property
    def socket(self) -> Path:
        """Where `analytics discover` adds the replicas, and takes them away."""
        return self._folder / "admin.sock"

    def prepare(self) -> LaunchCommand:
        """See `Server.prepare`."""
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
        """See `Server.fault`."""
        return await unready(self.port)


def located(command: str) -> Path | None:
    """Where the *command* HAProxy is; None when it is nowhere."""
    found = shutil.which(command) or shutil.which(command, path=_ELSEWHERE)
    return Path(found) if found else None


def missing(command: str) -> str:
    """What to do when *command* is nowhere."""
    return (
        f"there is no command {command!r}. Install it (Debian: apt-get install haproxy), or name "
        "it with the setting cluster.haproxy"
    )
