"""The real command, on a folder that a server owns or nobody does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.server import ROOT, Server


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return msgspec.json.decode(self.out)


Command = Callable[..., Outcome]


def called(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Outcome:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ANALYTICS_")}
    done = subprocess.run(
        [sys.executable, "-m", "analytics", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env={**ours, "PYTHONPATH": str(ROOT / "src"), **environment},
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(params=["alone", "beside a server"])
async def command(request: pytest.FixtureRequest, data: Path) -> AsyncIterator[Command]:
    """`analytics --data …`, in both situations."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
        return called("--data", data, *arguments, stdin=stdin)

    server = Server(data)
    if request.param == "beside a server":
        await server.start()
    try:
        yield run
    finally:
        await server.stop()
