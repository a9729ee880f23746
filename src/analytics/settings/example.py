"""Writes out the settings: as an example file, and as a table for the documentation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from analytics.settings.section import GIB, KIB, MIB
from analytics.settings.tree import Setting, every, sections

_HEAD: Final = """\
# Every setting with its default. Copy what you change to analytics.toml.
# An environment variable ANALYTICS_SECTION__FIELD wins over this file, a flag over both;
# `analytics doctor` shows what is in force, and where each value came from.
"""


def toml() -> str:
    """Return `analytics.example.toml`: every setting, commented out, at its default."""
    helps = {name: section.__doc__ or "" for name, section in sections().items()}
    lines, current = [_HEAD], ""
    for setting in every():
        section, _, field = setting.name.rpartition(".")
        if section != current:
            current = section
            lines += ["", f"[{section}]", f"# {helps[section]}"]
        lines += ["", f"# {_help(setting)}", f"# {field} = {literal(setting)}"]
    return "\n".join(lines) + "\n"


def table() -> str:
    """Return the table of `docs/settings.md`."""
    return "\n".join(_rows()) + "\n"


def literal(setting: Setting) -> str:
    """Return the default of *setting* in TOML."""
    return toml_value(setting.default, setting.unit)


def toml_value(value: object, unit: str = "") -> str:
    """Return *value* in TOML, a size with its unit."""
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(part) for part in value) + "]"
    if isinstance(value, int) and unit == "bytes":
        return _size(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if value is None or value == SecretStr(""):
        return '""'
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if isinstance(value, str | Path | SecretStr) else text


def _rows() -> Iterator[str]:
    yield "| setting | default | environment | meaning |"
    yield "|---|---|---|---|"
    for setting in every():
        yield (
            f"| `{setting.name}` | `{literal(setting)}` | `{setting.variable}` | {_help(setting)} |"
        )


def _help(setting: Setting) -> str:
    if setting.unit in ("", "bytes"):
        return setting.help
    return f"{setting.help} In {setting.unit}."


def _size(value: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"), (10**9, "GB"), (10**6, "MB")):
        if value and value % unit == 0:
            return f'"{value // unit} {name}"'
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(table() if "--table" in sys.argv else toml())
