"""Locates the files that lie outside the package, in an installation or a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from analytics.errors import Misconfigured

_PACKAGED: Final = Path(__file__).parent / "_data"
_CHECKOUT: Final = Path(__file__).parents[2]


def tracker() -> Path:
    """Return the path of the minified tracker, which `GET /tracker.js` serves."""
    return _first(_PACKAGED / "tracker.min.js", _CHECKOUT / "static" / "tracker.min.js")


def tracker_source() -> Path:
    """Return the path of the tracker's readable source."""
    return _first(_PACKAGED / "tracker.js", _CHECKOUT / "static" / "tracker.js")


def haproxy() -> Path:
    """Return the path of the configuration of HAProxy in front of replicas."""
    return _first(_PACKAGED / "haproxy.cfg", _CHECKOUT / "haproxy.cfg")


def _first(*candidates: Path) -> Path:
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise Misconfigured(
        f"{candidates[0].name} is missing from this installation: install the package again."
    )
