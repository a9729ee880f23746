"""A configuration file of any settings, secrets too: for the programs that a test starts."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from analytics.settings import Settings
from analytics.settings.example import toml_value
from analytics.settings.tree import every


def write(path: Path, settings: Settings) -> Path:
    """Write *settings* to *path*."""
    top, lines, current = [], [], ""
    for setting in every():
        value = setting.of(settings)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        section, _, field = setting.name.rpartition(".")
        line = f"{field} = {toml_value(value, setting.unit)}"
        if not section:
            top.append(line)
            continue
        if section != current:
            current = section
            lines.append(f"[{section}]")
        lines.append(line)
    path.touch(mode=0o600)
    path.write_text("\n".join([*top, *lines]) + "\n")
    return path
