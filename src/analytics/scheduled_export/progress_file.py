"""What has been exported so far, in a file of the data folder: a restart goes on from there."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog

from analytics.errors import UNDECODABLE

log = structlog.get_logger()


class ExportProgress(msgspec.Struct, kw_only=True):
    """What one destination holds."""

    target: str
    finished_at: int = 0
    """When the last run that exported everything began, in UTC milliseconds."""
    days: dict[str, dict[str, str]] = {}
    """By site and day, a fingerprint of the events that were exported."""


def load(path: Path, target: str) -> ExportProgress:
    """Return what *target* holds; nothing, when the file is about another one or cannot be read.

    Then all days are exported again, each in the place of its own file.
    """
    try:
        progress = msgspec.json.decode(path.read_bytes(), type=ExportProgress)
    except FileNotFoundError:
        return ExportProgress(target=target)
    except (OSError, *UNDECODABLE) as exc:
        log.warning("export_progress_unreadable", file=str(path), error=str(exc))
        return ExportProgress(target=target)
    return progress if progress.target == target else ExportProgress(target=target)


def save(path: Path, progress: ExportProgress) -> None:
    """Write *progress* under another name, then move it."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(msgspec.json.encode(progress))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
