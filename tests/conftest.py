"""What tests of several folders share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.real"]

# A slow machine is no fault of the code: no example has a deadline.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 2 MB of room."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    image, where = tmp_path / "disk.img", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(2 << 20)
    where.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", image], check=True)
    mounted = subprocess.run(
        ["mount", "-o", "loop", image, where], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)
