"""Progress is for terminals, and never mixes with the answer."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import called

LINES = b"".join(
    b'203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /%d HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n' % n
    for n in range(2000)
)


def test_a_terminal_sees_a_bar_and_standard_output_the_answer_alone(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "access.log"
    file.write_bytes(LINES)
    called("site", "add", "example.com", "--data", data)
    ours, theirs = pty.openpty()
    importing = ("import", "access-log", file, "--site", "example.com", "--json", "--data", data)
    done = subprocess.run(
        [sys.executable, "-m", "analytics", *importing],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        check=True,
    )
    os.close(theirs)
    assert json.loads(done.stdout)["stored"] == 2000
    assert b"Importing access.log" in os.read(ours, 1 << 20)
    os.close(ours)


def test_a_pipe_sees_no_bar(tmp_path: Path) -> None:
    data = tmp_path / "data"
    called("site", "add", "example.com", "--data", data)
    importing = ("import", "access-log", "-", "--site", "example.com", "--data", data)
    assert called(*importing, stdin=LINES).err == ""
