"""Processes that outlive who started them, and are ended to the last."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from analytics.localcluster.process import LaunchCommand, ManagedProcess, ManagedProcesses

PAUSE_S = 0.01
"""Between two looks at another process, which needs the processor to get ahead."""

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
apart = "import os, time; os.setpgid(0, 0); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", apart])
print("child", child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[ManagedProcesses]:
    processes = ManagedProcesses(tmp_path)
    yield processes
    processes.end(processes.all(), 0)


def python(code: str, folder: Path) -> LaunchCommand:
    return LaunchCommand(arguments=[sys.executable, "-c", code], folder=folder)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()


def child_of(processes: ManagedProcesses, name: str) -> int:
    while not (said := processes.log(name).read_text()).endswith("\n"):  # all of its first line
        time.sleep(PAUSE_S)
    return int(said.split()[1])


def test_a_process_is_found_again_by_who_did_not_start_it(
    processes: ManagedProcesses, tmp_path: Path
) -> None:
    started = processes.start("one", python("import time; time.sleep(600)", tmp_path))
    again = ManagedProcesses(tmp_path).find("one")
    assert again == started
    assert again.alive
    ManagedProcesses(tmp_path).end([again], 5)
    assert not runs(started.pid)
    assert processes.all() == []


def test_who_ignores_a_polite_word_is_ended_with_all_that_it_started(
    processes: ManagedProcesses, tmp_path: Path
) -> None:
    started = processes.start("stubborn", python(STUBBORN, tmp_path))
    child = child_of(processes, "stubborn")
    processes.end([started], 0.1)
    assert not runs(started.pid)
    assert not runs(child)


def test_what_a_dead_leader_left_behind_is_ended(
    processes: ManagedProcesses, tmp_path: Path
) -> None:
    started = processes.start("stubborn", python(STUBBORN, tmp_path))
    child = child_of(processes, "stubborn")
    os.kill(started.pid, signal.SIGKILL)
    while started.alive:
        time.sleep(PAUSE_S)
    assert runs(child)
    processes.end([started], 5)
    assert not runs(child)


def test_another_process_with_the_same_number_is_left_alone(
    processes: ManagedProcesses, tmp_path: Path
) -> None:
    started = processes.start("one", python("import time; time.sleep(600)", tmp_path))
    impostor = ManagedProcess(name="two", pid=started.pid, birth="another boot 1")
    record = tmp_path / "run" / "two.json"
    record.write_bytes(msgspec.json.encode(impostor))
    assert not impostor.alive
    processes.end([impostor], 0)
    assert started.alive
    assert not record.exists()


def test_our_own_settings_are_not_handed_down(
    processes: ManagedProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS_KAFKA__TOPIC", "elsewhere")
    code = "import os; print([n for n in os.environ if n.startswith('ANALYTICS_')], flush=True)"
    started = processes.start("one", python(code + "; input()", tmp_path))
    while not (lines := processes.tail("one")):
        time.sleep(PAUSE_S)
    assert lines[0] == "[]"
    processes.end([started], 5)
