"""One owner, one version, no strangers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server import Server

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


def test_a_folder_says_who_else_gets_at_it_and_the_way_out(folder: DataFolder) -> None:
    with folder.held():
        pass
    user = folder.path.stat().st_uid
    assert folder.user() == user
    assert folder.exposure(user) is None
    for mode in (0o701, 0o710, 0o750, 0o755, 0o777, 0o2770):
        folder.path.chmod(mode)
        assert f"mode is {mode:04o}" in str(folder.exposure(user))
        assert f"chmod -R go= {folder.path}" in str(folder.exposure(user))
        with folder.held():  # closes it, as it is its user's own
            assert folder.exposure(user) is None


async def test_a_folder_of_another_user_is_warned_of_and_no_fault(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a folder to another user needs root")
    server = Server(tmp_path / "data")
    await server.command("site", "add", "example.com")
    assert "\nwarn" not in (await server.run("doctor"))[1]
    os.chown(server.data, 12_345, -1)
    server.data.chmod(0o755)
    await server.start()
    code, doctor, _ = await server.run("doctor")
    await server.stop()
    assert "folder_open_to_others" in server.log()
    for text in (server.log(), doctor):
        assert "belongs to 12345" in text
        assert f"chown -R root {server.data}" in text
    assert code == 0
    assert server.data.stat().st_mode & 0o777 == 0o755
