"""The processes of a cluster: each in a session of its own, known by its id with its birth."""

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
_STATE, _SESSION, _BIRTH = 0, 3, 19


class LaunchCommand(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is started."""

    arguments: Sequence[str]
    folder: Path
    """Where it works."""
    environment: Mapping[str, str] = {}
    """What it gets besides ours."""


class ManagedProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was started, as it is written down."""

    name: str
    pid: int
    birth: str
    """The boot it was born in, with its time: no other process ever has both."""

    @property
    def alive(self) -> bool:
        """Whether it still runs, and is the same."""
        return _birth(self.pid) == self.birth


class ManagedProcesses:
    """Those that were started from one folder."""

    def __init__(self, folder: Path) -> None:
        self._records = folder / "run"
        self.logs = folder / "logs"

    def all(self) -> list[ManagedProcess]:
        """Every process that was started and not ended, in the order of their start."""
        records = sorted(self._records.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [msgspec.json.decode(path.read_bytes(), type=ManagedProcess) for path in records]

    def find(self, name: str) -> ManagedProcess | None:
        """The process called *name*, whether it lives or not."""
        path = self._records / f"{name}.json"
        return (
            msgspec.json.decode(path.read_bytes(), type=ManagedProcess) if path.is_file() else None
        )

    def log(self, name: str) -> Path:
        """What the process called *name* writes goes here."""
        return self.logs / f"{name}.log"

    def start(self, name: str, command: LaunchCommand) -> ManagedProcess:
        """Start a process that outlives this one."""
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
        birth = _birth(child.pid)
        if birth is None:
            raise Misconfigured(
                f"{name} ended as soon as it was started; {self.log(name)} says why"
            )
        process = ManagedProcess(name=name, pid=child.pid, birth=birth)
        durable_file.replace(self._records / f"{name}.json", msgspec.json.encode(process))
        return process

    def end(self, processes: Sequence[ManagedProcess], grace_s: float) -> None:
        """End *processes* and all they started: politely, and by force after *grace_s* seconds."""
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
        """The last lines that the process called *name* wrote."""
        path = self.log(name)
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()


def _plain_environment() -> dict[str, str]:
    """Ours without our own settings: a server's are in the file that it is given."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def supported() -> None:
    """Raise `Misconfigured` where processes can't be told apart in the way that we do it."""
    if not (_PROC / "self" / "stat").is_file():
        raise Misconfigured(
            "a cluster on one machine needs Linux (/proc); elsewhere use deploy/compose.yaml"
        )


def _birth(pid: int) -> str | None:
    """When and in which boot *pid* was born; None when it does not run."""
    stat = _stat(pid)
    if stat is None or stat[_STATE] in ("Z", "X"):
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{boot} {stat[_BIRTH]}"


def _session(process: ManagedProcess) -> Iterator[int]:
    """Whoever lives in the session that *process* leads, or led."""
    birth = _birth(process.pid)
    if birth is not None and birth != process.birth:
        return  # the number was given to somebody else, so the session is over
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
