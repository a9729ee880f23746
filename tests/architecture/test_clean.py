"""What is in the repository can be given to anyone."""

from __future__ import annotations

import json
import re

from tests.architecture.checkout import ROOT, files

# In two parts each, so that this file does not contain what it looks for.
HOSTS = ("registry.npm" + "js.org", "files.python" + "hosted.org", "pypi." + "org/simple")
HOME = re.compile("/(?:ro" + "ot|wo" + r"rk)/[\w.-]+")
BINARY = {".png", ".woff2", ".ico", ".gz", ".parquet", ".mmdb"}


def test_no_file_names_a_package_host_or_a_path_of_one_machine() -> None:
    found = []
    for path in files():
        if path.suffix in BINARY:
            continue
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in HOSTS if host in text]
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in HOME.finditer(text)]
    assert found == []


def test_the_npm_lock_file_leaves_the_host_to_the_installer() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if "integrity" not in package] == []


def test_every_package_has_one_idea_and_says_it() -> None:
    vague = {"utils", "helpers", "common", "misc", "core", "manager", "managers"}
    sources = [path for path in files() if path.suffix == ".py" and "src" in path.parts]
    assert [path for path in sources if path.stem in vague or vague & {*path.parent.parts}] == []
    silent = [path for path in sources if not path.read_text().lstrip().startswith('"""')]
    assert silent == []
