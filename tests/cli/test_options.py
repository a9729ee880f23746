"""Every option is documented, with its command."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from tests.server import ROOT

from analytics.cli.main import analytics


def options(group: click.Group, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from options(command, f"{path} {name}")
            continue
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.expose_value:
                yield f"{path} {name}", parameter.opts[0]


@pytest.mark.parametrize(("command", "option"), [*options(analytics, "analytics")])
def test_every_option_is_documented_with_its_command(command: str, option: str) -> None:
    lines = (ROOT / "docs" / "cli.md").read_text("utf-8").splitlines()
    usage = " ".join(line for line in lines if line.strip().startswith(command + " "))
    assert option in usage
