"""The options that every command accepts, before its name or after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from analytics.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
_NAMES: Final = ("data", "config")


def _kept(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    # The innermost place where it was given wins.
    if value is not None:
        context.find_root().meta[f"analytics.{parameter.name}"] = value


_DATA: Final = click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    expose_value=False,
    callback=_kept,
    help="The data folder [./analytics-data].",
)
_CONFIG: Final = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    expose_value=False,
    callback=_kept,
    help="The configuration file [./analytics.toml, if there].",
)
as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def common(function: F) -> F:
    """Add `--data` and `--config` to a command."""
    return _DATA(_CONFIG(function))


def settings(**flags: object) -> Settings:
    """Return the settings in force; *flags* are by dotted name, with `__` for the dot."""
    # Here, because building the model of all settings takes longer than printing help.
    from analytics.settings import load

    options: dict[str, Any] = click.get_current_context().find_root().meta
    overrides = {name.replace("__", "."): value for name, value in flags.items()}
    return load(
        options.get("analytics.config"), {"data": options.get("analytics.data"), **overrides}
    )
