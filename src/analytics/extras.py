"""What a plain installation leaves out, asked for by name when it is needed."""

from __future__ import annotations

from importlib.util import find_spec

from analytics.errors import Misconfigured


def require(what: str, *modules: str, extra: str = "cluster") -> None:
    """Raise `Misconfigured`, saying what to install, unless every one of *modules* is there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise Misconfigured(
            f"{what} needs packages that are not installed ({', '.join(missing)}): "
            f"pip install 'analytics[{extra}]'"
        )
