"""Where the files that live outside the package are, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from analytics.errors import Misconfigured

_PACKAGED: Final = Path(__file__).parent / "_data"
_CHECKOUT: Final = Path(__file__).parents[2]


def tracker() -> Path:
    """The minified tracker, as `GET /tracker.js` serves it."""
    return _first(_PACKAGED / "tracker.min.js", _CHECKOUT / "static" / "tracker.min.js")


def tracker_source() -> Path:
    """The tracker as it was written, for people who want to read what they paste."""
    return _first(_PACKAGED / "tracker.js", _CHECKOUT / "static" / "tracker.js")


def haproxy() -> Path:
    """The configuration of HAProxy in front of replicas."""
    return _first(_PACKAGED / "haproxy.cfg", _CHECKOUT / "haproxy.cfg")


def _first(*candidates: Path) -> Path:
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise Misconfigured(
        f"{candidates[0].name} is missing from this installation: install the package again."
    )
