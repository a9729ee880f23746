"""A small line of figures as the points of an SVG polyline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDTH: Final = 240
HEIGHT: Final = 48
_MARGIN: Final = 2


class Sparkline(NamedTuple):
    """What the template draws in a box of WIDTH by HEIGHT."""

    line: str
    area: str


def sparkline(values: Sequence[float]) -> Sparkline:
    """The line through *values*, scaled to the highest; flat at the bottom when all are 0."""
    top = max([*values, 1])
    step = WIDTH / max(len(values) - 1, 1)
    room = HEIGHT - 2 * _MARGIN
    places = [
        f"{index * step:.1f},{HEIGHT - _MARGIN - value / top * room:.1f}"
        for index, value in enumerate(values)
    ]
    line = " ".join(places)
    return Sparkline(line, f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}")
