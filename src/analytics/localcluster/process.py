"""Starts and ends the processes of a local cluster, each in a session of its own.

A process is identified by its id together with its start time, so that a reused id is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from analytics import durable_file
from analytics.errors import Misconfigured
from analytics.settings.sources import PREFIX

_PROC: Final = Path("/proc")
_POLL_S: Final = 0.05
_TAIL_BYTES: Final = 8192
# Of /proc/<pid>/stat, counted behind the command's name: state, session, start time.
_STATE, _SESSION, _STARTED = 0, 3, 19


class LaunchCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The command that starts a server."""

    arguments: Sequence[str]
    folder: Path
    """Its working directory."""
    environment: Mapping[str, str] = {}
    """Variables in addition to this process's environment."""


class ManagedProcess(msgspec.Struct, frozen=True, kw_only=True):
    """The stored record of a process that was started."""

    name: str
    pid: int
    birth: str
    """The id of the boot and the start time in it: together unique."""

    @property
    def alive(self) -> bool:
        """Return whether it is still running."""
        return _start_of(self.pid) == self.birth


class ManagedProcesses:
    """The processes that were started from one folder."""

    def __init__(self, folder: Path) -> None:
        self._records = folder / "run"
        self.logs = folder / "logs"

    def all(self) -> list[ManagedProcess]:
        """Return every process that was started and not ended, in the order of their start."""
        records = sorted(self._records.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [msgspec.json.decode(path.read_bytes(), type=ManagedProcess) for path in records]

    def find(self, name: str) -> ManagedProcess | None:
        """Return the record of the process called *name*, running or not; None if there is none."""
        path = self._records / f"{name}.json"
        return (
            msgspec.json.decode(path.read_bytes(), type=ManagedProcess) if path.is_file() else None
        )

    def log(self, name: str) -> Path:
        """Return the path of the log of the process called *name*."""
        return self.logs / f"{name}.log"

    def start(self, name: str, command: LaunchCommand) -> ManagedProcess:
        """Start a process that outlives this one. Raise `Misconfigured` if it ends at once."""
        for folder in (self._records, self.logs, command.folder):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - a command of ours
                command.arguments,
                cwd=command.folder,
                env={**_plain_environment(), **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # It is meant to outlive us; an object that thinks it ended does not complain about that.
        child.returncode = 0
        birth = _start_of(child.pid)
        if birth is None:
            raise Misconfigured(
                f"{name} ended as soon as it was started; {self.log(name)} says why"
            )
        process = ManagedProcess(name=name, pid=child.pid, birth=birth)
        durable_file.replace(self._records / f"{name}.json", msgspec.json.encode(process))
        return process

    def end(self, processes: Sequence[ManagedProcess], grace_s: float) -> None:
        """End *processes* and their children by SIGTERM, and by SIGKILL after *grace_s* seconds."""
        for process in processes:
            if process.alive:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while any(process.alive for process in processes) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        for process in processes:
            # A leader that is dead keeps its number from being given away while its session lives.
            while members := [*_session(process)]:
                for pid in members:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(_POLL_S)
            (self._records / f"{process.name}.json").unlink(missing_ok=True)

    def tail(self, name: str) -> list[str]:
        """Return the last lines that the process called *name* wrote."""
        path = self.log(name)
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()


def _plain_environment() -> dict[str, str]:
    """Return this process's environment without settings, which a server reads from its file."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def supported() -> None:
    """Raise `Misconfigured` on systems without /proc."""
    if not (_PROC / "self" / "stat").is_file():
        raise Misconfigured(
            "a cluster on one machine needs Linux (/proc); elsewhere use deploy/compose.yaml"
        )


def _start_of(pid: int) -> str | None:
    """Return the boot and start time of *pid*; None if it is not running."""
    stat = _stat(pid)
    if stat is None or stat[_STATE] in ("Z", "X"):
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{boot} {stat[_STARTED]}"


def _session(process: ManagedProcess) -> Iterator[int]:
    """Yield the ids of the running processes in the session that *process* leads, or led."""
    started = _start_of(process.pid)
    if started is not None and started != process.birth:
        return  # the id was reused, so the session is over
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            stat = _stat(int(entry.name))
            if stat and stat[_SESSION] == str(process.pid) and stat[_STATE] not in ("Z", "X"):
                yield int(entry.name)


def _stat(pid: int) -> list[str] | None:
    try:
        content = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return content.rpartition(")")[2].split()
