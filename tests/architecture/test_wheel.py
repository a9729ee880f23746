"""What `pip install` puts on a machine is enough to run."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.architecture.checkout import ROOT, files

from analytics.extras import DISTRIBUTION


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the project's files, by the build backend that is here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for path in files():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    _run(sys.executable, "-m", "build", "-q", "--wheel", "--no-isolation", "-o", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a fresh environment: the wheel, and our dependencies by reference."""
    fresh = tmp_path_factory.mktemp("fresh")
    _run(sys.executable, "-m", "venv", "--without-pip", fresh)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(fresh), "platbase": str(fresh)}))
    pip = (sys.executable, "-m", "pip", "--python", fresh / "bin" / "python")
    _run(*pip, "install", "-q", "--no-deps", "--no-index", wheel)
    # Only the folder itself, not its .pth files: one of those may lead to this checkout.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return fresh / "bin"


def test_the_wheel_holds_the_tracker_and_what_the_pages_need(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"analytics/_data/tracker.js", "analytics/_data/tracker.min.js"} <= names
    packaged = {str(p.relative_to(ROOT / "src")) for p in files() if ROOT / "src" in p.parents}
    assert packaged - names == set()


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    for name in zipfile.ZipFile(wheel).namelist():
        assert name.startswith(("analytics/", f"{DISTRIBUTION}-")), name


def test_the_installed_command_explains_itself(scripts: Path) -> None:
    assert "serve" in _run(scripts / "analytics", "--help")


def test_the_installed_package_is_the_wheel_and_finds_its_tracker(scripts: Path) -> None:
    where = _run(scripts / "python", "-c", "from analytics import assets; print(assets.tracker())")
    assert where.strip() == str(next(scripts.parent.rglob("_data/tracker.min.js")))


def test_the_installed_server_begins_with_a_link_and_serves_its_tracker(
    scripts: Path, tmp_path: Path
) -> None:
    command = [scripts / "analytics", "serve", "--port", "0", "--data", tmp_path / "data"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            ready, setup = server.stdout.readline(), server.stdout.readline()
            (url,) = re.findall(r"ready at (http://127\.0\.0\.1:\d+)/", ready)
            (link,) = re.findall(r"http://\S+/setup\?token=\S+", setup)
            tracker = urlopen(url + "/tracker.js").read()
            assert tracker == (ROOT / "static" / "tracker.min.js").read_bytes()
            assert b"<form" in urlopen(link).read()
        finally:
            server.terminate()
    assert server.returncode == 0


def test_a_suite_runs_outside_the_checkout_as_contributing_says(
    scripts: Path, tmp_path: Path
) -> None:
    blocks = re.findall(r"```python\n(.+?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    (module,) = (each for each in blocks if "Contract" in each)
    (tmp_path / "test_mine.py").write_text(module)
    pytest_run = (scripts / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    report = _run(*pytest_run, "-o", "asyncio_mode=auto", "--rootdir", tmp_path, tmp_path)
    assert re.search(r"^[1-9]\d* passed", report, re.MULTILINE), report


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
