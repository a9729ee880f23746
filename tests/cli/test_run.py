"""Who owns the folder decides where an operation runs; nobody is made to wait for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.cli import main, run
from analytics.data_folder import DataFolder


def test_a_folder_that_stays_in_use_is_exit_3_and_names_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "WAIT_S", 0.0)
    folder = DataFolder(tmp_path / "data")
    with folder.held():
        assert main(["site", "list", "--data", str(folder.path)]) == 3
        assert f"in use by process {folder.owner()}" in capsys.readouterr().err
