"""One owner, one version, no strangers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analytics.data_folder import DataFolder
from analytics.errors import FolderInUse, Misconfigured


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def test_a_new_folder_is_for_its_owner_only(folder: DataFolder) -> None:
    with folder.held():
        assert folder.path.stat().st_mode & 0o777 == 0o700
    stamp = folder.stamp()
    assert stamp is not None
    assert stamp.version == 1


def test_a_folder_has_one_owner_at_a_time(folder: DataFolder) -> None:
    with (
        folder.held(),
        pytest.raises(FolderInUse, match=r"in use by process \d+"),
        DataFolder(folder.path).held(),
    ):
        pass
    with DataFolder(folder.path).held():
        assert folder.owner() is not None
    assert folder.owner() is None


def test_a_killed_owner_leaves_the_folder_free(folder: DataFolder) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from analytics.data_folder import DataFolder\n"
        "with DataFolder(pathlib.Path(sys.argv[1])).held(): os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", code, str(folder.path)], check=False)
    assert died.returncode == -9
    with folder.held():
        pass


def test_a_newer_folder_is_refused_with_both_versions(folder: DataFolder) -> None:
    folder.path.mkdir()
    folder.stamp_file.write_text('{"version": 7, "program": "9.9.9"}')
    with (
        pytest.raises(Misconfigured, match=r"version 7, made by analytics 9\.9\.9.*version 1"),
        folder.held(),
    ):
        pass


def test_a_folder_of_other_files_is_left_alone(folder: DataFolder) -> None:
    folder.path.mkdir()
    (folder.path / "thesis.txt").write_text("do not touch")
    with pytest.raises(Misconfigured, match="holds other files"), folder.held():
        pass
    assert [entry.name for entry in folder.path.iterdir()] == ["thesis.txt"]


def test_a_fresh_mount_is_as_good_as_empty(folder: DataFolder) -> None:
    (folder.path / "lost+found").mkdir(parents=True)
    with folder.held():
        pass


def test_a_file_in_place_of_the_folder_is_named(folder: DataFolder) -> None:
    folder.path.write_text("")
    with pytest.raises(Misconfigured, match="is not a folder"), folder.held():
        pass


def test_a_stamp_that_cannot_be_understood_is_named(folder: DataFolder) -> None:
    folder.path.mkdir()
    folder.stamp_file.write_text("{")
    with pytest.raises(Misconfigured, match=r"folder\.json: cannot be understood"), folder.held():
        pass
