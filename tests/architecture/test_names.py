"""Names can be guessed: each means one thing, and says what it is."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from tests.architecture.checkout import ROOT, files

PACKAGE = ROOT / "src" / "analytics"
MODULES = [path for path in files() if path.suffix == ".py" and path.is_relative_to(PACKAGE)]
# Names that say nothing of what is inside.
DRAWERS = {"common", "core", "helper", "helpers", "manager", "managers", "misc"}
DRAWERS |= {"tools", "util", "utils"}
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_no_two_public_classes_have_the_same_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(relative(path))
    assert len(places) > 100
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_module_or_package_is_a_drawer() -> None:
    parts = {part for path in MODULES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert sorted(parts & DRAWERS) == []


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name == "__init__.py"], ids=relative
)
def test_a_package_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert len(docstring.split()) > 2, f"{relative(path)} says only {docstring!r}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_no_docstring_is_empty(path: Path) -> None:
    empty = [
        getattr(node, "name", relative(path))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, DEFINITIONS)
        and (docstring := ast.get_docstring(node)) is not None
        and not docstring.strip(" .…")
    ]
    assert empty == []
