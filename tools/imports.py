#!/usr/bin/env python3
"""The shape of the import graph: for each package its rooms, arrows and floors.

    python tools/imports.py [--checkout DIR]

A room is a module or a package directly inside the package, an arrow means that something in one
room imports something in another (each pair counts once), and the floors are the rooms on the
longest path of arrows. A cycle has no floors, and is printed as such. Reads the source alone: to
compare two commits, give each one's checkout (`git worktree add`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = "analytics"


def rooms_of(graph: grimp.ImportGraph, package: str) -> dict[str, set[str]]:
    """Return for each room of *package* the other rooms that it imports from."""
    children = {
        child: {child, *graph.find_descendants(child)} for child in graph.find_children(package)
    }
    room_of = {module: child for child, modules in children.items() for module in modules}
    arrows: dict[str, set[str]] = {child: set() for child in children}
    for module, room in room_of.items():
        for imported in graph.find_modules_directly_imported_by(module):
            other = room_of.get(imported)
            if other is not None and other != room:
                arrows[room].add(other)
    return arrows


def floors(arrows: Mapping[str, set[str]]) -> int | None:
    """Return how many rooms the longest path of *arrows* has; None where they form a cycle."""
    height: dict[str, int] = {}
    try:
        for room in TopologicalSorter(arrows).static_order():
            height[room] = 1 + max((height[below] for below in arrows[room]), default=0)
    except CycleError:
        return None
    return max(height.values(), default=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkout", type=Path, default=ROOT)
    checkout = parser.parse_args().checkout
    sys.path.insert(0, str(checkout / "src"))
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    packages = sorted(module for module in graph.modules if graph.find_children(module))
    print(f"{'package':<34} {'rooms':>5} {'arrows':>6} {'floors':>6}")
    for package in packages:
        arrows = rooms_of(graph, package)
        count = floors(arrows)
        print(
            f"{package:<34} {len(arrows):>5} {sum(map(len, arrows.values())):>6}"
            f" {'cycle' if count is None else count:>6}"
        )


if __name__ == "__main__":
    main()
