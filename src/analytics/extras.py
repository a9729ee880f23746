"""Optional packages, checked for when a feature needs them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from analytics.errors import Misconfigured

DISTRIBUTION: Final = "hitledger"
"""Our name in package indexes, where `analytics` is somebody else's package."""


def install_command(extra: str) -> str:
    """Return the command that installs the packages of *extra*."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def require(what: str, *modules: str, extra: str = "cluster") -> None:
    """Raise `Misconfigured`, saying what to install, unless every one of *modules* is there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise Misconfigured(
            f"{what} needs packages that are not installed ({', '.join(missing)}): "
            + install_command(extra)
        )
