"""The tracker that is served is the one that is written, and it stays small."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess

import pytest
from tests.architecture.checkout import ROOT

from analytics import assets

BUDGET_GZIP_BYTES = 2660


def test_the_minified_tracker_is_within_its_budget() -> None:
    assert len(gzip.compress(assets.tracker().read_bytes())) <= BUDGET_GZIP_BYTES


@pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / "node_modules" / "terser").is_dir(),
    reason="needs node, and `npm ci`",
)
def test_the_minified_tracker_is_built_from_the_source_and_readme_states_its_size() -> None:
    built = subprocess.run(
        ["node", "tools/build_tracker.mjs", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    sizes = re.findall(r"(raw|gzip|brotli) (\d+) B", built.stdout)
    readme = (ROOT / "README.md").read_text()
    assert len(sizes) == 3
    for kind, size in sizes:
        assert f"{int(size) / 1000:.1f} kB {kind}" in readme
