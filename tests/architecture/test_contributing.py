"""What CONTRIBUTING.md tells a newcomer is true of the tree."""

from __future__ import annotations

import ast
import re

import pytest
from tests.architecture.checkout import ROOT, files

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ROW = re.compile(
    r"^\| (?P<question>[^|]+\?) \| `(?P<path>[^`]+)` \| `(?P<name>\w+)` \|$", re.MULTILINE
)
PATH = re.compile(r"`(\w[\w./-]*/[\w.-]+|[\w-]+\.(?:cfg|toml))`")

# A worked list names every module of src that knows its example.
EXAMPLES = {
    "Add a wire format": re.compile(r"\bPixel\b"),
    "Add a panel": re.compile(r"\bDimension\.SCREEN\b"),
    "Add a metric": re.compile(r"\bMetric\.EXITS\b"),
    "Add a backend": re.compile(r"\bEurekaRegistry\b"),
}


def section(title: str) -> str:
    _, _, after = TEXT.partition(f"\n## {title}\n")
    assert after, f"CONTRIBUTING.md has no section {title!r}"
    return after.split("\n## ")[0]


def top_level_names(path: str) -> set[str]:
    body = ast.parse((ROOT / path).read_text()).body
    return {
        node.name
        for node in body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_path_that_it_names_exists() -> None:
    tree = {path.relative_to(ROOT).as_posix() for path in files()}
    folders = {folder.as_posix() for path in files() for folder in path.relative_to(ROOT).parents}
    named = {path.rstrip("/") for path in PATH.findall(TEXT)}
    assert len(named) > 30
    assert sorted(named - tree - folders) == []


@pytest.mark.parametrize(("title", "example"), EXAMPLES.items(), ids=EXAMPLES)
def test_a_worked_list_names_every_module_that_knows_its_example(
    title: str, example: re.Pattern[str]
) -> None:
    knowing = {
        name
        for path in files()
        if (name := path.relative_to(ROOT).as_posix()).startswith("src/")
        and path.suffix == ".py"
        and example.search(path.read_text())
    }
    assert knowing, f"nothing in src/ has {example.pattern}: choose another example"
    missing = sorted(knowing - set(PATH.findall(section(title))))
    assert missing == [], f"add these files to the steps of {title!r} in CONTRIBUTING.md"


def test_it_asks_ten_questions_and_more() -> None:
    assert len(ROW.findall(TEXT)) >= 10


@pytest.mark.parametrize("row", list(ROW.finditer(TEXT)), ids=lambda row: row["question"])
def test_an_answer_names_a_definition_of_that_file(row: re.Match[str]) -> None:
    assert row["name"] in top_level_names(row["path"])
