"""Imports point down; the rules are in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys

from tests.architecture.checkout import ROOT


def test_every_import_contract_is_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
