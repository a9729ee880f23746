"""The files written from the settings are up to date."""

from __future__ import annotations

from pathlib import Path

from analytics.settings import example, load
from analytics.settings.tree import every

ROOT = Path(__file__).parents[2]


def test_the_example_file_is_what_the_settings_say() -> None:
    """Write it anew with: python -m analytics.settings.example > analytics.example.toml"""
    assert (ROOT / "analytics.example.toml").read_text("utf-8") == example.toml()


def test_the_documentation_holds_the_table_of_every_setting() -> None:
    """Write it anew with: python -m analytics.settings.example --table"""
    assert example.table() in (ROOT / "docs" / "settings.md").read_text("utf-8")


def test_the_example_with_its_comments_taken_off_loads_to_the_defaults(tmp_path: Path) -> None:
    names = [setting.name.rpartition(".")[2] for setting in every()]
    lines = [
        line.removeprefix("# ") if any(line.startswith(f"# {n} = ") for n in names) else line
        for line in example.toml().splitlines()
    ]
    file = tmp_path / "analytics.toml"
    file.write_text("\n".join(lines))
    settings = load(file, {}, environment={})
    assert settings.model_dump() == load(None, {}, environment={}).model_dump()
    assert all(settings.origin(setting.name) != "default" for setting in every())


def test_every_setting_has_a_sentence_of_help() -> None:
    assert [s.name for s in every() if not s.help.endswith(".")] == []
