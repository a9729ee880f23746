"""What commands print cannot steer the terminal that shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from analytics.cli import output, table

STEERS = "\x9b31m\x9d0;x\x07\u202egpj\u2069\u2028"
CLI = Path(output.__file__).parent


def harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_a_line_and_a_table_show_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    output.echo(f"evil{STEERS}.example")
    table.show(("SITE",), [(f"evil{STEERS}.example",)], empty="")
    shown = capsys.readouterr().out
    assert harmless(shown)
    assert shown.count("\\u009b31m") == 2


def test_json_stays_the_same_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"site": f"bücher{STEERS}.example"})
    shown = capsys.readouterr().out
    assert harmless(shown)
    assert "bücher" in shown
    assert json.loads(shown) == {"site": f"bücher{STEERS}.example"}


def test_no_command_prints_by_another_way() -> None:
    for module in CLI.glob("*.py"):
        if module.name != "output.py":
            assert not re.search(r"\bclick\.s?echo\(|(?<!\w)print\(", module.read_text()), module


def test_a_message_about_what_was_typed_is_harmless(command: Command) -> None:
    command("site", "add", "example.com")
    refused = command("site", "remove", f"evil{STEERS}.example", "--yes")
    assert refused.code == 2
    assert "evil" in refused.err
    assert harmless(refused.err)
