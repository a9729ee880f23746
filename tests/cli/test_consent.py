"""On a terminal, a command says what it will destroy, and a no leaves everything as it was."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Outcome, called


def at_a_terminal(data: Path, *arguments: str, typed: bytes) -> Outcome:
    """Run the command with somebody at its standard input, who types *typed*."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed)
        done = subprocess.run(
            [sys.executable, "-m", "analytics", "--data", str(data), *arguments],
            stdin=theirs,
            capture_output=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_no_leaves_the_key_and_the_site(tmp_path: Path) -> None:
    data = tmp_path / "data"
    called("site", "add", "a.example", "--data", data)
    scope = ("--scope", "stats:read", "--label", "Nightly")
    key = called("key", "create", "--site", "a.example", *scope, "--json", "--data", data).json
    asked = at_a_terminal(data, "key", "revoke", key["id"], typed=b"n\n")
    assert "This revokes the key Nightly (stats:read; a.example)" in asked.err
    assert asked.err.endswith("analytics: nothing was changed\n")
    assert asked.code == 1
    asked = at_a_terminal(data, "site", "remove", "a.example", typed=b"n\n")
    assert "revokes 1 API key, takes it away from 0 viewers, and keeps 0 stored events" in asked.err
    assert asked.err.endswith("analytics: nothing was changed\n")
    assert asked.code == 1
    assert [each["id"] for each in called("key", "list", "--json", "--data", data).json] == [
        key["id"]
    ]
    removed = at_a_terminal(data, "site", "remove", "a.example", "--json", typed=b"y\n")
    assert removed.json == {"site": "a.example", "keys_revoked": 1}
