"""README's commands work, as they are written, on a Debian that has nothing but Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from tests.architecture.checkout import ROOT, files
from tests.install.chroot import Chroot, bootstrap
from tests.server import free_port

from analytics import __version__

pytestmark = [pytest.mark.install, pytest.mark.timeout(1200)]

README = (ROOT / "README.md").read_text()
QUICKSTART = (ROOT / "docs" / "quickstart.md").read_text()
BEGIN = "cd /src && export DEBIAN_FRONTEND=noninteractive\n"


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def debian(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chroot]:
    """Debian 12 and 13, with a checkout of this repository in `/src`."""
    root = tmp_path_factory.mktemp("debian") / request.param
    debian = bootstrap(request.param, root)
    for path in files():
        copy = root / "src" / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    yield debian
    shutil.rmtree(root)


def commands(text: str) -> str:
    """The first shell block of a page."""
    block = re.search(r"```sh\n(.+?)```", text, re.DOTALL)
    assert block is not None
    return block[1]


def remedy(said: str) -> str:
    """The line of the quickstart's table that begins with what a command *said*."""
    (line,) = [line for line in QUICKSTART.splitlines() if line.startswith("|") and said in line]
    return line


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    while True:
        try:
            with urllib.request.urlopen(url) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                assert process.stdout is not None
                pytest.fail(process.stdout.read()[-4000:])
            time.sleep(0.2)


def test_what_stops_a_stranger_is_answered(debian: Chroot) -> None:
    assert "command not found" in debian.run(BEGIN + "pip install .", check=False)
    assert remedy("pip: command not found")
    said = debian.run(BEGIN + "python3 -m venv .venv; rm -rf .venv", check=False)
    assert "ensurepip is not" in said
    assert "python3-venv" in remedy("ensurepip is not available")
    assert "sudo apt-get install python3-venv" in README
    debian.run(BEGIN + "apt-get update -qq && apt-get install -y -qq python3-pip")
    said = debian.run(BEGIN + "pip install .", check=False)
    assert "error: externally-managed-environment" in said
    assert ". .venv/bin/activate" in remedy("error: externally-managed-environment")
    debian.run(BEGIN + "apt-get purge -y -qq --autoremove python3-pip")


def test_the_commands_of_the_readme_start_it(debian: Chroot) -> None:
    assert commands(README) == commands(QUICKSTART)
    debian.run(BEGIN + "apt-get update -qq && apt-get install -y -qq python3-venv")
    port = free_port()
    with debian.running(BEGIN + commands(README), ANALYTICS_SERVE__PORT=str(port)) as process:
        wait_for(f"http://127.0.0.1:{port}/health/ready", process)
    said = debian.run(BEGIN + ". .venv/bin/activate && analytics --version")
    assert said == f"analytics {__version__}\n"


def test_pipx_installs_it_too(debian: Chroot) -> None:
    assert "pipx install . && pipx ensurepath" in QUICKSTART
    debian.run(BEGIN + "apt-get update -qq && apt-get install -y -qq pipx")
    debian.run(BEGIN + "pipx install . && pipx ensurepath")
    # What a new shell reads.
    said = debian.run("cd / && bash -lic 'analytics --version'")
    assert f"analytics {__version__}" in said
