"""What tests of several folders share."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

# The fixtures that start real servers; they need the drivers of the extra `cluster`.
SERVER_PLUGINS = ("tests.real", "tests.secured")

# A slow machine is no fault of the code: no example has a deadline.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Load the fixtures of real servers with the first module that is marked `cluster`."""
    if "mark.cluster" in module_path.read_text(encoding="utf-8"):
        for plugin in SERVER_PLUGINS:
            parent.config.pluginmanager.import_plugin(plugin)


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """No test inherits a log that another one set up, and whose stream is closed by now."""
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 2 MB of room, or as many as its parameter says."""
    megabytes = getattr(request, "param", 2)
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    image, where = tmp_path / "disk.img", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    where.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image], check=True)
    mounted = subprocess.run(
        ["mount", "-o", "loop", image, where], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        size = f"size={megabytes}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)
