"""The files for the front are understood by the programs that they are for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.front import haproxy, keepalived

pytestmark = pytest.mark.front
PATH = os.environ["PATH"] + ":/usr/sbin"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"FRONT_REPLICA_1": "192.0.2.1:8000", "FRONT_REPLICA_3": "[2001:db8::1]:8000"},
        {"FRONT_FORWARDED_FROM": "192.0.2.1", "FRONT_PROXY_PROTOCOL_FROM": "192.0.2.0/24 ::1"},
        {"FRONT_UNLIMITED": "192.0.2.1 2001:db8::/32"},
    ],
    ids=lambda settings: " ".join(settings) or "nothing",
)
def test_haproxy_has_nothing_to_warn_of(equipped: None, settings: dict[str, str]) -> None:
    done = subprocess.run(
        ["haproxy", "-c", "-q", "-f", haproxy.CONFIGURATION],
        env={"PATH": PATH, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("role", ["lb1", "lb2"])
def test_keepalived_has_nothing_to_warn_of(equipped: None, tmp_path: Path, role: str) -> None:
    assert complaints(tmp_path, keepalived.configured(role, "haproxy")) == ""


def test_keepalived_would_complain(equipped: None, tmp_path: Path) -> None:
    broken = keepalived.configured("lb1", "haproxy").replace("nopreempt", "nopreemption")
    assert "nopreemption" in complaints(tmp_path, broken)


def complaints(folder: Path, configuration: str) -> str:
    file = folder / "keepalived.conf"
    file.write_text(configuration)
    # Its exit code tells nothing: it may end itself by a signal.
    done = subprocess.run(
        ["keepalived", "--config-test", "--use-file", file],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    return done.stdout + done.stderr
