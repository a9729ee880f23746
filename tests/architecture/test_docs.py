"""The documentation is complete: what can be used has its name in docs/."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import click
import pytest
from starlette.testclient import TestClient
from tests.architecture.checkout import ROOT, files

from analytics import __version__, app, startup
from analytics.cli.main import analytics
from analytics.errors import AnalyticsError
from analytics.event import DropReason
from analytics.job.metrics import JobMetrics
from analytics.query import Dimension, Metric, Op
from analytics.settings import Settings
from analytics.settings.tree import every

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
NGINX = re.compile(r"^```nginx\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[app.Application]:
    async with startup.open_resources(Settings(data=tmp_path / "data")) as parts:
        yield app.compose(parts, setup_token=None)


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


@pytest.mark.parametrize(("name", "command"), [*commands(analytics, "analytics")])
def test_every_command_is_documented_with_its_options(name: str, command: click.Command) -> None:
    usage = [line for line in page("cli.md").splitlines() if line.startswith(f"    {name}")]
    assert usage, f"docs/cli.md has no usage of {name}"
    options = {option for param in command.params for option in param.opts if option[:2] == "--"}
    text = page("cli.md")
    assert {option for option in options if option not in text} == set()


async def test_every_route_is_documented(application: app.Application) -> None:
    paths = {line.path for line in application.gate.table()}
    assert len(paths) >= 10
    text = page("http-api.md") + page("dashboard.md")
    assert {path for path in paths if not named(path, text)} == set()


async def test_the_table_of_routes_is_the_servers_own(application: app.Application) -> None:
    section = page("http-api.md").partition("## Which module answers what")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([A-Z, ]+) \| (\w+) \|$", section, re.MULTILINE)
    assert rows == [(line.path, line.methods, line.module) for line in application.gate.table()]


def named(path: str, text: str) -> bool:
    return re.search(rf"`(?:(?:GET|POST|PUT|DELETE) )?{re.escape(path)}`", text) is not None


async def test_every_metric_of_the_server_is_documented(application: app.Application) -> None:
    client = TestClient(application.gate, client=("127.0.0.1", 1))
    reply = client.get("/metrics")
    names = re.findall(r"# HELP (analytics_\w+)", reply.text)
    assert names
    assert [name for name in names if f"`{name}`" not in page("operations.md")] == []


def test_every_metric_of_the_job_is_documented() -> None:
    metrics = list(JobMetrics().registry.collect())
    assert metrics
    names = [f"{each.name}_total" if each.type == "counter" else each.name for each in metrics]
    assert [name for name in names if f"`{name}`" not in page("operations.md")] == []


@pytest.mark.parametrize("setting", [setting.name for setting in every()])
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in page("settings.md")


@pytest.mark.parametrize("reason", DropReason)
def test_every_reason_to_drop_a_hit_is_documented(reason: str) -> None:
    assert f"`{reason}`" in page("http-api.md")


def codes(kind: type[AnalyticsError]) -> Iterator[str]:
    yield kind.code
    for sub in kind.__subclasses__():
        yield from codes(sub)


@pytest.mark.parametrize("code", sorted({*codes(AnalyticsError)}))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in page("http-api.md")


@pytest.mark.parametrize("name", [*Metric, *Dimension, *Op])
def test_every_word_of_a_query_is_documented(name: str) -> None:
    assert f"`{name}`" in page("metrics.md")


def test_every_option_of_the_tracker_is_documented() -> None:
    source = (ROOT / "static" / "tracker.js").read_text()
    names = re.findall(r"\b(?:has|unless)\('([\w-]+)'\)", source)
    (pair,) = re.findall(r"const \{ ([\w, ]+) \} = script\.dataset", source)
    attributes = {"data-" + name for name in [*names, *pair.split(", ")]}
    assert len(attributes) >= 7
    assert [name for name in attributes if f"`{name}`" not in page("tracker.md")] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(path.read_text()):
        if "://" in target:
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def named_tests(text: str) -> Iterator[tuple[str, str]]:
    """Yield each test that *text* names: its file, and what follows in it.

    `::name` alone is in the file that was named last.
    """
    path = ""
    for file, name in re.findall(r"(?<![\w/])(tests/[\w/-]+\.py)?((?:::\w+)*)", text):
        path = file or path
        if file or name:
            yield path, name


def test_every_test_that_the_tables_of_faults_name_exists() -> None:
    named = {*named_tests(page("testing.md")), *named_tests(page("security.md"))}
    assert len(named) > 100
    missing = []
    for path, name in named:
        source = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        parts = name.split("::")[1:]
        if not source or not all(re.search(rf"\b(?:def|class) {part}\b", source) for part in parts):
            missing.append(path + name)
    assert missing == []


NOT_ENDED = {"31", "H9", "M9", "L13"}
"""Faults and findings that this version does not end; the pages say so, and what to do."""


def numbers(text: str) -> set[str]:
    """Return the numbers in the first column of the tables of *text*, ranges written out."""
    found: set[str] = set()
    for cell in re.findall(r"^\| ([^|]+) \|", text, flags=re.MULTILINE):
        for each in cell.split(", "):
            if match := re.fullmatch(r"([CHML]|9\.|)(\d+)(?:–\1?(\d+))?", each):
                letter, first, last = match[1], int(match[2]), int(match[3] or match[2])
                found |= {f"{letter}{number}" for number in range(first, last + 1)}
    return found


def test_every_fault_and_every_finding_has_a_row() -> None:
    faults = {*map(str, range(1, 46)), *(f"9.{number}" for number in range(1, 16))}
    review = {"C": 5, "H": 9, "M": 10, "L": 13}
    findings = {f"{letter}{n}" for letter, count in review.items() for n in range(1, count + 1)}
    without_row = (faults - numbers(page("testing.md"))) | (findings - numbers(page("security.md")))
    assert without_row == NOT_ENDED


def test_the_design_has_the_layers_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    whole = "imports point down, never up"
    (layers,) = (each["layers"] for each in contracts["contracts"] if each["name"] == whole)
    line = " → ".join(layer.replace("analytics.", "") for layer in layers)
    assert f"    {line}\n" in page("design.md")


def test_the_design_says_where_every_module_is() -> None:
    top = ROOT / "src" / "analytics"
    modules = {path.name for path in top.glob("[!_]*.py")}
    named = {*re.findall(r"`([\w/]+\.py)`", page("design.md"))}
    assert modules - named == set()
    assert {name for name in named if not {top / name, ROOT / name} & {*files()}} == set()


def test_every_background_loop_is_documented() -> None:
    begun = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r'Background(?:Loop|Thread)\(\s*"([\w-]+)"', path.read_text())
    }
    assert len(begun) > 10
    assert {name for name in begun if f"`{name}`" not in page("operations.md")} == set()


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_no_proxy_that_is_shown_writes_addresses_into_a_log() -> None:
    blocks = [block for each in PAGES for block in NGINX.findall(each.read_text())]
    assert blocks
    assert [block for block in blocks if "access_log off;" not in block] == []
