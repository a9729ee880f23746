"""A file that is replaced holds its old content or its new one, and is its owner's alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from analytics import durable_file


def test_a_new_file_holds_the_content_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        durable_file.replace(tmp_path / "mark", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "mark").read_bytes() == b"new"
    assert (tmp_path / "mark").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["mark"]


def test_content_is_replaced_even_after_a_crash_left_a_longer_temporary_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mark"
    path.write_bytes(b"old")
    (tmp_path / "mark.new").write_bytes(b"half of something longer")
    durable_file.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["mark"]


def test_a_full_disk_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        durable_file.replace(path, b"new", temporary=Path("/dev/full"))
    assert path.read_bytes() == b"old"


def test_a_reader_never_sees_a_part_while_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    durable_file.replace(path, b"a" * 100_000)
    code = (
        "import itertools, pathlib, sys\n"
        "from analytics import durable_file\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "print('begun', flush=True)\n"
        "for content in itertools.cycle((b'a' * 100_000, b'b' * 100_000)):\n"
        "    durable_file.replace(path, content)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        seen = {path.read_bytes() for _ in range(200)}
        writer.send_signal(signal.SIGKILL)
    assert {*seen, path.read_bytes()} <= {b"a" * 100_000, b"b" * 100_000}
