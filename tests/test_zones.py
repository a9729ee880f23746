"""Days begin by the rules of one table, whatever the system has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest

from analytics import localtime, zones
from analytics.catalog import rules
from analytics.errors import Malformed
from analytics.units import HOUR_MS

# What changed from 2024 to 2026, with the local time by the rules of 2026f.
CHANGED = [
    ("America/Vancouver", "2026-11-27T07:30", "2026-11-27 00:30"),
    ("Canada/Pacific", "2026-11-27T07:30", "2026-11-27 00:30"),
    ("America/Edmonton", "2026-11-27T06:30", "2026-11-27 00:30"),
    ("America/Yellowknife", "2026-11-27T06:30", "2026-11-27 00:30"),
    ("America/Inuvik", "2026-11-27T06:30", "2026-11-27 00:30"),
    ("America/Winnipeg", "2026-11-27T05:30", "2026-11-27 00:30"),
    ("America/Rainy_River", "2026-11-27T05:30", "2026-11-27 00:30"),
    ("America/Havana", "2026-11-27T04:30", "2026-11-27 00:30"),
    ("Africa/Casablanca", "2026-11-26T23:30", "2026-11-26 23:30"),
    ("Africa/El_Aaiun", "2026-11-26T23:30", "2026-11-26 23:30"),
    ("Europe/Chisinau", "2026-03-29T00:30", "2026-03-29 02:30"),
    ("America/Coyhaique", "2026-07-01T03:30", "2026-07-01 00:30"),
    ("America/Asuncion", "2026-07-01T03:30", "2026-07-01 00:30"),
    ("Asia/Almaty", "2026-11-27T18:30", "2026-11-27 23:30"),
]


@pytest.mark.parametrize(("name", "utc", "local"), CHANGED)
def test_a_day_begins_by_the_rules_of_today(name: str, utc: str, local: str) -> None:
    at_ms = round(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000)
    here = datetime.fromtimestamp((at_ms + localtime.offset_ms(name, at_ms)) / 1000, UTC)
    assert f"{here:%Y-%m-%d %H:%M}" == local
    assert localtime.date_of(localtime.day_of(name, at_ms)).isoformat() == local[:10]


SHOW = """
from analytics import localtime
print(localtime.offset_ms("America/Vancouver", 1_795_764_600_000))
"""


@pytest.mark.parametrize("variable", ["PYTHONTZPATH", None])
def test_the_systems_table_is_never_asked(tmp_path: Path, variable: str | None) -> None:
    # A table in which it is always Tokyo's time, at the place where Python looks first.
    tokyo = resources.files("tzdata").joinpath("zoneinfo/Asia/Tokyo")
    (tmp_path / "America").mkdir()
    with resources.as_file(tokyo) as file:
        shutil.copy(file, tmp_path / "America/Vancouver")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SHOW,
        ],
        env={**os.environ, **({variable: str(tmp_path)} if variable else {})},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == -7 * HOUR_MS


@pytest.mark.parametrize("name", ["../zones", "America", "", "posix/Europe/Berlin", "Factory"])
def test_what_is_not_in_the_table_is_no_zone(name: str) -> None:
    with pytest.raises(Malformed, match="is not a time zone"):
        rules.checked_timezone(name)


def test_every_zone_of_the_table_can_be_read() -> None:
    assert {"Europe/Berlin", "Asia/Calcutta", "Etc/UTC", "US/Pacific"} <= zones.names()
    for name in zones.names():
        assert (
            zones.zone(name).utcoffset(datetime(2026, 11, 27, tzinfo=zones.zone(name))) is not None
        )
