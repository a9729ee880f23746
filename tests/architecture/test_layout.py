"""A test stands where its subject stands: `tests/x/test_y.py` tests `src/analytics/x/y.py`.

A subject with many tests has several modules, one for each aspect, named behind it:
`test_log_outage.py` is about what becomes of `log.py` in an outage.
"""

from __future__ import annotations

from pathlib import Path

from tests.architecture.checkout import ROOT, files

SOURCE = ROOT / "src" / "analytics"
TESTS = ROOT / "tests"

WITHOUT_TWIN = {
    "architecture": "rules that hold for the whole checkout",
    "browser": "pages and the tracker in real browsers, with a server behind them",
    "cluster": "a whole cluster of real servers",
    "deploy": "the files of deploy/",
    "end_to_end": "one process as its users meet it, over HTTP",
    "front": "haproxy.cfg in real HAProxies",
    "eureka": "no tests: the Eureka server that tests/registry starts",
    "fuzz": "all decoders, by one driver",
    "install": "a stock Debian",
    "tools": "the programs of tools/",
}
"""Folders whose subject is more than a package, or outside of the program."""

EXCEPTIONS = {
    "dashboard/test_sent_twice.py": "every form of the dashboard that creates something",
    "stream/test_rolling_upgrade.py": "all that processes of two versions read of each other",
    "cli/test_commands.py": "every command, beside a server and alone",
    "test_facts.py": "metric_facts.py and dimension_facts.py, whose names share one space",
}


def modules() -> list[Path]:
    """Return the test modules whose place says what they test, relative to tests/."""
    paths = [path.relative_to(TESTS) for path in files() if TESTS in path.parents]
    return [path for path in paths if path.match("test_*.py") and path.parts[0] not in WITHOUT_TWIN]


def has_subject(path: Path) -> bool:
    """Return whether a source module or package has the name of *path*, or what it begins with."""
    words = path.stem.removeprefix("test_").split("_")
    names = ("_".join(words[:count]) for count in range(1, len(words) + 1))
    folder = SOURCE / path.parent
    return any(
        (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
        for name in names
    )


def test_a_test_module_stands_where_its_subject_stands() -> None:
    astray = {str(path) for path in modules() if not has_subject(path)}
    assert astray == {*EXCEPTIONS}
    assert len(modules()) > 150


def test_every_folder_without_a_twin_is_named_with_a_reason() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in files() if TESTS in path.parents}
    twins = {path.name for path in SOURCE.iterdir() if path.is_dir()}
    named = {each for each in folders if not each.endswith(".py")}
    assert named - twins == {*WITHOUT_TWIN}
