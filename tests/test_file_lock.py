"""A lock is one process's at a time, and nobody's once that process is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analytics import file_lock
from analytics.errors import FolderInUse

HOLDER = (
    "import pathlib, sys\n"
    "from analytics import file_lock\n"
    "with file_lock.exclusive(pathlib.Path(sys.argv[1]), lambda: 'in use'):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()"
)


def test_a_lock_that_another_process_holds_is_refused_until_that_process_is_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(FolderInUse, match="wait for the other one"),
            file_lock.exclusive(path, lambda: "wait for the other one"),
        ):
            pytest.fail("two processes held the lock")
        holder.kill()
    with file_lock.exclusive(path, lambda: "wait for the other one"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_an_error_of_the_block_is_not_taken_for_a_lock_that_is_held(tmp_path: Path) -> None:
    with (
        pytest.raises(BlockingIOError),
        file_lock.exclusive(tmp_path / "lock", lambda: "in use"),
    ):
        raise BlockingIOError
