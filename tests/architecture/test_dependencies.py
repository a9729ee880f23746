"""Every package that the program imports is declared, in the extra that needs it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator

from tests.architecture.checkout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

DISTRIBUTIONS = {
    "argon2": "argon2-cffi",
    "cassandra": "cassandra-driver",
    "crawleruseragents": "crawler-user-agents",
    "mcp_types": "mcp",  # a package of its own, which mcp pins and re-exports
    "py4j": "pyspark",  # Spark's own bridge to the JVM
    "ua_parser": "ua-parser",
}
"""The declared distribution of a module, where it is not its name."""

NOT_IMPORTED = {
    "pandas": "PySpark hands groups of rows over by it",
    "python-multipart": "Starlette parses uploads by it",
}
"""Declared, though no module of ours imports them."""


def declared(extra: str | None = None) -> set[str]:
    lines = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    return {re.split(r"[\[<>=,~!; ]", line, maxsplit=1)[0] for line in lines}


def imported() -> Iterator[tuple[str, str]]:
    """Yield module and imported distribution, but for the standard library and ourselves."""
    for path in (ROOT / "src" / "analytics").rglob("*.py"):
        module = str(path.relative_to(ROOT / "src" / "analytics"))
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    tops = {each.name.partition(".")[0] for each in names}
                case ast.ImportFrom(module=str(name), level=0):
                    tops = {name.partition(".")[0]}
                case _:
                    continue
            for top in tops - sys.stdlib_module_names - {"analytics"}:
                yield module, DISTRIBUTIONS.get(top, top.replace("_", "-"))


def test_what_is_imported_is_declared() -> None:
    core, testing = declared(), declared("testing")
    optional = core.union(*(declared(each) for each in ("cluster", "eureka", "mcp", "s3")))
    undeclared = {
        (module, name)
        for module, name in imported()
        if name not in (core | testing if module.startswith("testing/") else optional)
    }
    assert undeclared == set()


def test_what_is_declared_is_imported() -> None:
    used = {name for _, name in imported()}
    assert declared() | declared("cluster") <= used | {*NOT_IMPORTED}
    assert used.isdisjoint(NOT_IMPORTED), "these are imported now"
