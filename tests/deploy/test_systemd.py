"""The units are what systemd takes, and start commands that exist."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analytics.cli.command_list import COMMANDS

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
PROGRAM = "/opt/analytics/bin/analytics"


def started(unit: Path) -> list[str]:
    (line,) = [each for each in unit.read_text().splitlines() if each.startswith("ExecStart=")]
    return line.removeprefix("ExecStart=").split()


def verified(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """What systemd says of a unit, whose program is one that is there."""
    path = tmp_path / "tried.service"
    path.write_text(text.replace(PROGRAM, sys.executable))
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not on this machine")
    found = verified(unit.read_text(), tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    wrong = verified(unit.read_text().replace("Restart=always", "Restart=sometimes"), tmp_path)
    assert "restart specifier" in wrong.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_command_exists_with_its_options(unit: Path) -> None:
    program, name, *arguments = started(unit)
    assert program == PROGRAM
    options = {option for param in COMMANDS[name].load().params for option in param.opts}
    assert {each for each in arguments if each.startswith("--")} <= options
