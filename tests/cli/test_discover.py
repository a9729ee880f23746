"""`analytics discover` says what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.cli.main import main


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a registry, if it is away."""
    monkeypatch.setenv("ANALYTICS_REGISTRY__BACKEND", "eureka")
    monkeypatch.setenv("ANALYTICS_EUREKA__URLS", "http://127.0.0.1:1/eureka")


def test_without_a_registry_there_is_nobody_to_discover(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", "--once"]) == 2
    assert "registry.backend is none" in capsys.readouterr().err


@pytest.mark.usefixtures("listed")
def test_json_is_for_one_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", "--json"]) == 2
    assert "--json goes with --once" in capsys.readouterr().err


@pytest.mark.usefixtures("listed")
def test_without_haproxy_one_may_try_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["discover", "--once", "--socket", str(tmp_path / "none.sock")]) == 3
    assert "HAProxy does not answer at" in capsys.readouterr().err
