"""Combines the settings: flags over environment over file over defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from analytics.errors import Misconfigured
from analytics.settings.sources import CONFIG, Given, by_flag, ignored, in_environment, in_file
from analytics.settings.tree import Settings, every, sections

DEFAULT_FILE: Final = Path("analytics.toml")


def load(
    config: Path | None,
    overrides: Mapping[str, object],
    *,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings in force, each with its origin.

    *config* is the file of `--config`; without it `ANALYTICS_CONFIG`, else `analytics.toml` of the
    working directory if there is one. *overrides* are flags by dotted name. Raises `Misconfigured`,
    naming the file's line, the variable or the flag at fault.
    """
    if config is None and (named := environment.get(CONFIG)):
        config = Path(named)
    if config is None and DEFAULT_FILE.is_file():
        config = DEFAULT_FILE
    values = [*(in_file(config) if config else ()), *in_environment(environment)]
    values += by_flag(overrides)
    _refuse_unknown(values)
    tree: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, value, origin in values:
        branch, _, leaf = name.rpartition(".")
        (tree.setdefault(branch, {}) if branch else tree)[leaf] = value
        origins[name] = origin
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as exc:
        raise Misconfigured("; ".join(_faults(exc, origins))) from exc
    settings._origins = origins  # noqa: SLF001 - the tree's own loader
    settings._ignored = ignored(environment)  # noqa: SLF001
    return settings


def _refuse_unknown(values: Sequence[Given]) -> None:
    names = [setting.name for setting in every()]
    faults = [
        f"{item.origin}: {_unknown(item, names)}" for item in values if item.name not in names
    ]
    if faults:
        raise Misconfigured("; ".join(faults))


def _unknown(item: Given, names: Sequence[str]) -> str:
    if item.name in sections():
        return f"{item.name} is a section; write [{item.name}] on a line of its own"
    near = get_close_matches(item.name, names, n=1, cutoff=0.0)[0]
    if item.origin.startswith("environment"):
        variable = next(setting.variable for setting in every() if setting.name == near)
        return f"no such setting; the nearest is {variable}"
    return f"{item.name} is not a setting; the nearest is {near}"


def _is_secret(name: str, value: object) -> bool:
    """Return whether *value*, of the setting *name*, must not be repeated.

    Secret are passwords, whole sections, and any text with an @, as an address with a password has.
    """
    if isinstance(value, dict) or "@" in repr(value):
        return True
    return any(each.name == name and isinstance(each.default, SecretStr) for each in every())


def _faults(exc: ValidationError, origins: Mapping[str, str]) -> list[str]:
    faults = []
    for error in exc.errors(include_url=False):
        parts = [part for part in error["loc"] if isinstance(part, str)]
        name = ".".join(parts[:2]) if parts[0] in sections() else parts[0]
        reason = error["msg"].removeprefix("Value error, ")
        shown_value = "" if _is_secret(name, error["input"]) else f" (it is {error['input']!r})"
        fault = (
            f"{origins.get(name, 'default')}: {name}: {reason[:1].lower()}{reason[1:]}{shown_value}"
        )
        if fault not in faults:
            faults.append(fault)
    return faults
