"""Records in the data folder what has been exported, so that a restart continues from there."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog

from analytics.errors import UNDECODABLE

log = structlog.get_logger()


class ExportProgress(msgspec.Struct, kw_only=True):
    """The exported days of one destination."""

    target: str
    finished_at: int = 0
    """When the last complete run began, in UTC milliseconds."""
    days: dict[str, dict[str, str]] = {}
    """By site and day, a fingerprint of the events that were exported."""


def load(path: Path, target: str) -> ExportProgress:
    """Return the progress for *target*; empty if the file is about another one or unreadable.

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
    """Write *progress* to a new file, then rename it to *path*."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(msgspec.json.encode(progress))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
