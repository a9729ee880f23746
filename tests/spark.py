"""A Spark of its own on this machine: a master and workers, as others run them elsewhere."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyspark
from tests.real import PATIENCE_S

from analytics.localcluster.plan import HOST
from analytics.localcluster.process import LaunchCommand, ManagedProcess, ManagedProcesses

SECRET: Final = "of-the-spark"
_HOME: Final = Path(pyspark.__file__).parent


class StandaloneSpark:
    """A master, and workers by name; who does not know `SECRET` can't use it."""

    def __init__(self, folder: Path, *, defaults: Mapping[str, str] = MappingProxyType({})) -> None:
        self.folder = folder
        self.processes = ManagedProcesses(folder)
        self.port = free_port()
        self.configuration = folder / "conf"
        """For SPARK_CONF_DIR."""
        self.configuration.mkdir(parents=True)
        java = shutil.which("java")
        assert java is not None
        self._environment = {
            "SPARK_HOME": str(_HOME),
            "JAVA_HOME": str(Path(java).resolve().parents[1]),
            "SPARK_CONF_DIR": str(self.configuration),
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "PYTHONPATH": "",  # what a worker needs of ours, it is sent
            "PATH": os.defpath,  # nor does it find our interpreter by itself
        }
        (self.configuration / "spark-defaults.conf").write_text(
            "spark.authenticate true\n"
            f"spark.authenticate.secret {SECRET}\n"
            f"spark.driver.host {HOST}\n"
            "spark.executor.memory 512m\n"
            "spark.executor.cores 1\n"
            + "".join(f"{name} {value}\n" for name, value in defaults.items())
        )

    @property
    def master(self) -> str:
        """The address for `spark.master`."""
        return f"spark://{HOST}:{self.port}"

    def __enter__(self) -> StandaloneSpark:
        self._start("master", "org.apache.spark.deploy.master.Master", "--port", str(self.port))
        self._wait_for(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.end([*reversed(self.processes.all())], 10)

    def start_worker(
        self, name: str, *, hidden: Sequence[Path] = (), cores: int = 1
    ) -> ManagedProcess:
        """Start a worker; it does not see what lies in *hidden*, as if on another machine."""
        return self._start(
            name,
            "org.apache.spark.deploy.worker.Worker",
            *("--cores", str(cores), "--memory", f"{512 * cores}m"),
            *("--work-dir", str(self.folder / f"{name}-work")),
            self.master,
            hidden=hidden,
        )

    def executors(self, worker: ManagedProcess) -> list[int]:
        """The processes in which *worker* has tasks run, once there are any."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = [
                int(entry.name)
                for entry in Path("/proc").iterdir()
                if entry.name.isdecimal() and _is_executor(entry, worker.pid)
            ]
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError("it has started no executor")

    def kill(self, process: ManagedProcess) -> None:
        """End *process* as a machine does that loses its power."""
        os.kill(process.pid, signal.SIGKILL)
        self.processes.end([process], 0)

    def _start(
        self, name: str, of: str, *arguments: str, hidden: Sequence[Path] = ()
    ) -> ManagedProcess:
        command = [
            *("bash", str(_HOME / "bin" / "spark-class"), of),
            *("--host", HOST, "--webui-port", "0"),
            *("--properties-file", str(self.configuration / "spark-defaults.conf")),
            *arguments,
        ]
        if hidden:
            veil = " && ".join(f"mount -t tmpfs tmpfs {shlex.quote(str(each))}" for each in hidden)
            command = ["unshare", "--mount", "sh", "-c", f'{veil} && exec "$@"', "sh", *command]
        return self.processes.start(
            name,
            LaunchCommand(arguments=command, folder=self.folder, environment=self._environment),
        )

    def _wait_for(self, port: int) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection((HOST, port), timeout=1).close()
            except OSError:
                if time.monotonic() > until:
                    print(*self.processes.tail("master"), sep="\n")
                    raise
                time.sleep(0.2)
            else:
                return


def _is_executor(entry: Path, session: int) -> bool:
    try:
        command = (entry / "cmdline").read_bytes()
        ours = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[3]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"CoarseGrainedExecutorBackend" in command and ours == str(session)


def free_port() -> int:
    """A port at which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
