"""The files beside the package are found, or their absence is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics import assets
from analytics.errors import Misconfigured


def test_the_tracker_is_smaller_than_its_source() -> None:
    assert assets.tracker().stat().st_size < assets.tracker_source().stat().st_size


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="install the package again"):
        assets._first(tmp_path / "tracker.min.js")
