"""Nobody is told to install a package of a stranger."""

from __future__ import annotations

import re
import tomllib

from tests.architecture.checkout import ROOT, files

from analytics.extras import DISTRIBUTION, install_command

INSTALL = re.compile(
    r"(?:pip|pipx|uv tool|uv pip) install\s+(?:-\S+\s+)*['\"]?([A-Za-z][\w.-]*)(\[[\w,]+\])?"
)
"""A package that a text tells a reader to install by name."""
OF_OTHERS = {"uv", "pipx"}
"""Installers, which have the names that they are known by."""
TEXTS = {
    ".md",
    ".py",
    ".html",
    ".toml",
    ".yaml",
    ".yml",
    ".cfg",
    ".service",
    ".Dockerfile",
    ".sh",
    "",
}


def test_the_package_has_a_name_of_its_own_and_its_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION != "analytics"
    assert project["scripts"] == {"analytics": "analytics.cli:main"}
    for extra in project["optional-dependencies"]:
        assert install_command(extra) == f"pip install '{DISTRIBUTION}[{extra}]'"


def test_no_text_tells_a_reader_to_install_anything_else() -> None:
    named = []
    for path in files():
        inside = path.relative_to(ROOT)
        if path.suffix not in TEXTS or inside.parts[0] in {"tests", "findings"}:
            continue
        named += [
            (str(inside), match[1])
            for match in INSTALL.finditer(path.read_text())
            if match[1] not in OF_OTHERS
        ]
    assert {name for _, name in named} <= {DISTRIBUTION}, named
    assert [path for path, _ in named if path == "docs/cluster.md"], "the pattern finds nothing"
