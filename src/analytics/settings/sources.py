"""Reads the values set in the file, in the environment and by flags, each with its origin."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from analytics.errors import Misconfigured

PREFIX: Final = "ANALYTICS_"
CONFIG: Final = "ANALYTICS_CONFIG"

_HEADER: Final = re.compile(r"\s*\[\s*([A-Za-z0-9_.\- ]+?)\s*\]")
_ASSIGNED: Final = re.compile(r"\s*([A-Za-z0-9_.\-]+)\s*=")
_AT: Final = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


class Given(NamedTuple):
    """One value as it was set."""

    name: str
    """Dotted: `serve.port`."""
    value: object
    origin: str
    """For people: `analytics.toml:12`, `environment ANALYTICS_SERVE__PORT`, `flag --port`."""


def in_file(path: Path) -> Iterator[Given]:
    """Yield the values of a TOML file. Raise `Misconfigured`."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise Misconfigured(
            f"{path}: there is no such configuration file; check --config"
        ) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise Misconfigured(f"{path}: the configuration file cannot be read: {exc}") from exc
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise Misconfigured(_unreadable(path, text, str(exc))) from exc
    lines = _lines(text)
    for name, value in _leaves(tree, ""):
        line = lines.get(name)
        yield Given(name, value, f"{path}:{line}" if line else str(path))


def in_environment(environment: Mapping[str, str]) -> Iterator[Given]:
    """Yield the values of `ANALYTICS_DATA` and of every `ANALYTICS_SECTION__FIELD`."""
    for variable, value in environment.items():
        if _is_read(variable):
            name = variable.removeprefix(PREFIX).lower().replace("__", ".")
            yield Given(name, value, f"environment {variable}")


def ignored(environment: Mapping[str, str]) -> Sequence[str]:
    """Return the variables that begin like ours, but are not settings.

    Orchestrators make up such names for a service called "analytics": `ANALYTICS_PORT`.
    """
    return sorted(
        variable
        for variable in environment
        if variable.startswith(PREFIX) and not _is_read(variable) and variable != CONFIG
    )


def _is_read(variable: str) -> bool:
    return variable.startswith(PREFIX) and ("__" in variable or variable == f"{PREFIX}DATA")


def by_flag(overrides: Mapping[str, object]) -> Iterator[Given]:
    """Yield the values of command-line flags, by dotted name; None means that it was not given."""
    for name, value in overrides.items():
        if value is not None:
            yield Given(name, value, f"flag --{name.rpartition('.')[2].replace('_', '-')}")


def _leaves(tree: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _lines(text: str) -> dict[str, int]:
    """Return the number of the line on which each dotted name is assigned."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = header[1].replace(" ", "") + "."
        elif assigned := _ASSIGNED.match(line):
            lines.setdefault(section + assigned[1], number)
    return lines


def _unreadable(path: Path, text: str, problem: str) -> str:
    at = _AT.search(problem)
    number = int(at[1]) if at and at[1] else max(len(text.splitlines()), 1)
    reason = _AT.sub("", problem).rstrip(".")
    return f"{path}:{number}: this line is not TOML: {reason}"
