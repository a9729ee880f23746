"""What is shipped of other people's browser code is what their packages hold."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "src" / "analytics" / "dashboard" / "static" / "vendor"
PACKAGES = tomllib.loads((ROOT / "tools" / "vendor.toml").read_text())["package"]


def test_every_vendored_file_has_the_hash_it_was_fetched_with() -> None:
    expected = json.loads((VENDOR / "hashes.json").read_text())
    found = {
        path.name: "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
        for path in VENDOR.iterdir()
        if path.name != "hashes.json"
    }
    assert found == expected


def test_every_package_ships_its_licence_and_is_pinned_by_hash() -> None:
    for package in PACKAGES:
        assert package["sha512"].startswith("sha512-")
        licence = package["files"]["LICENSE"]
        assert "Permission is hereby granted" in (VENDOR / licence).read_text()
