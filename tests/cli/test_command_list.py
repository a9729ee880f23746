"""A command imports what it needs, not what other commands need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.conftest import called

from analytics.cli.command_list import COMMANDS, ListedCommand

SERVER = {"uvicorn", "jinja2", "analytics.dashboard", "analytics.gateway.gate"}
CLUSTER = {"aiokafka", "pyignite", "cassandra", "pyspark", "pyarrow", "pandas"}
SETTINGS = {"pydantic", "analytics.settings"}
ENGINE = {"duckdb", "analytics.store.duckdb"}


def imported(*arguments: str | Path) -> set[str]:
    """Return the names of all modules that a command has imported when it ends."""
    code = (
        "import sys; from analytics.cli import main; main(sys.argv[1:]);"
        "sys.stderr.write('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout, done.stderr
    return {*done.stderr.splitlines()}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_no_command_and_no_settings(option: str) -> None:
    modules = imported(option)
    assert not modules & (SERVER | CLUSTER | SETTINGS | ENGINE | {"asyncio"})
    assert not modules & {listed.module for listed in COMMANDS.values()}


@pytest.mark.parametrize("arguments", [("doctor",), ("site", "list")])
def test_a_small_command_imports_neither_pages_nor_a_clusters_drivers(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    called("site", "add", "example.com", "--data", tmp_path)
    assert not imported(*arguments, "--data", tmp_path) & (SERVER | CLUSTER)


@pytest.mark.parametrize(("name", "listed"), COMMANDS.items())
def test_what_is_listed_of_a_command_is_what_it_says_of_itself(
    name: str, listed: ListedCommand
) -> None:
    command = listed.load()
    assert command.name == name
    assert listed.summary == command.get_short_help_str(limit=200)
    assert isinstance(command, click.Command)
