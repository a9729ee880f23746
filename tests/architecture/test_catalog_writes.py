"""Pages and commands change the catalog through `catalog/service.py`, so that both do the same."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.checkout import files

from analytics.catalog import audit_log, base

FOLDERS = ("dashboard", "admin", "cli", "api")
MODULES = [
    path
    for path in files()
    if path.suffix == ".py"
    and str(path).partition("/src/analytics/")[2].partition("/")[0] in FOLDERS
]
PARTS = {
    "sites": base.Sites,
    "people": base.People,
    "keys": base.Keys,
    "salts": base.Salts,
    "audit_log": audit_log.AuditLog,
}
READS = {
    "sites": {"get", "all"},
    "people": {"all", "check", "device_key", "logged_in", "sessions"},
    "keys": {"find", "last_used", "all"},
    "salts": {"of"},
    "audit_log": {"recent"},
}
ALLOWED = {
    ("dashboard/login.py", "people.log_in"): "no command logs anybody in",
    ("dashboard/login.py", "people.log_out"): "ends the session of the browser that asks",
    ("dashboard/setup.py", "people.log_in"): "no command logs anybody in",
}


def writes(part: str) -> set[str]:
    """The methods of a part of the catalog that are not known to read only."""
    methods = {name for name, _ in inspect.getmembers(PARTS[part], inspect.isfunction)}
    return {name for name in methods if not name.startswith("_")} - READS[part]


def part_of(value: ast.expr) -> str | None:
    """The part of a catalog that *value* is: `….catalog.people`, `catalog.people`."""
    match value:
        case ast.Attribute(value=owner, attr=part) if part in PARTS:
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            return part if name.endswith("catalog") else None
    return None


def direct_writes(source: str) -> Iterator[str]:
    """Each writing method that *source* takes from a catalog, as `people.remove`."""
    tree = ast.parse(source)
    named = {
        target.id: part
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (part := part_of(node.value)) is not None
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            local = node.value.id if isinstance(node.value, ast.Name) else ""
            part = part_of(node.value) or named.get(local)
            if part is not None and node.attr in writes(part):
                yield f"{part}.{node.attr}"


def test_pages_and_commands_write_to_the_catalog_through_its_service_only() -> None:
    found = {(name(path), each) for path in MODULES for each in direct_writes(path.read_text())}
    assert found - {*ALLOWED} == set(), "call analytics.catalog.service, or give a reason here"
    assert {*ALLOWED} - found == set(), "these write nothing any more"


def name(path: Path) -> str:
    return str(path).partition("/src/analytics/")[2]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("await ask.deps.catalog.people.remove(email)", ["people.remove"]),
        ("people = deps.catalog.people\nawait people.set_password(a, b)", ["people.set_password"]),
        ("edit = catalog.sites.edit", ["sites.edit"]),
        ("await catalog.people.all()", []),
        ("people.add(workspace, asked)", []),
    ],
)
def test_a_write_is_seen_however_it_is_spelled(source: str, found: list[str]) -> None:
    assert [*direct_writes(source)] == found


def test_every_read_is_a_method_of_the_catalog() -> None:
    for part, reads in READS.items():
        assert all(hasattr(PARTS[part], read) for read in reads), part
