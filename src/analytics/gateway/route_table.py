"""The table of routes: which path belongs to which module, for people to look at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from starlette.routing import BaseRoute, Mount, Route

from analytics.module import Module


class RouteLine(NamedTuple):
    """One path."""

    path: str
    methods: str
    """Separated by commas; HEAD goes with GET."""
    module: str
    served: bool
    """Whether this server answers for it."""


def table(modules: Sequence[Module], serving: Collection[str]) -> list[RouteLine]:
    """Every route of *modules*, in the order in which they are tried; a path has one line."""
    lines: dict[str, RouteLine] = {}
    for module in modules:
        served = module.name in serving
        for path, methods in _paths(module):
            line = lines.get(path)
            if line is not None:
                methods = f"{line.methods}, {methods}"
            lines[path] = RouteLine(path, methods, module.name, served)
    return [*lines.values()]


def _paths(module: Module) -> Iterator[tuple[str, str]]:
    for path, endpoint in module.paths.items():
        yield path, endpoint.method
    for route in module.routes:
        yield _described(route)


def _described(route: BaseRoute) -> tuple[str, str]:
    match route:
        case Route():
            return route.path_format, ", ".join(sorted((route.methods or set()) - {"HEAD"}))
        case Mount():
            # A hash of its files is part of the path; the folder above it is enough.
            return route.path.rpartition("/")[0] + "/…", "GET"
    raise TypeError(f"a route of an unknown kind: {route!r}")
