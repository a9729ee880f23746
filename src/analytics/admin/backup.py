"""Backup of the whole data folder into one file while it is in use, and restore."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import msgspec

from analytics.admin import backup_file
from analytics.admin.operation_context import OperationContext, Progress, Report
from analytics.admin.workspace import Workspace
from analytics.data_folder import DataFolder, check_version
from analytics.errors import Malformed, Misconfigured
from analytics.stream.base import Position


class Backup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`backup`."""


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """The file in the data folder, for the command to move away."""

    file: str
    bytes: int


async def run(workspace: Workspace, _: Backup, job: OperationContext) -> BackedUp:
    """Copy everything that was durable at the time of the call.

    The store is copied with its position in the log, then the log from that position on: events
    received since are stored from the copied log, as far as they are in it. Earlier records are
    not copied, because they may have been erased from the store.
    """
    # Imported here, because a command that makes a running server do this needs no journal.
    from analytics.stream.journal import PARTITION, copied

    folder, loop = workspace.folder, asyncio.get_running_loop()
    stage = folder.scratch / f"backup-{uuid4()}"
    target = stage.with_suffix(".tar")
    await workspace.settle()
    await asyncio.to_thread(stage.mkdir)
    try:
        async with workspace.paused():
            await workspace.store.snapshot(stage / folder.store.name)
            if folder.journal.is_dir():
                offsets = await workspace.store.offsets()
                start = Position(PARTITION, offsets.get(PARTITION, 0))
                await copied(workspace.log, start, stage / folder.journal.name)
        await workspace.catalog.copy_to(stage / folder.catalog.name)
        await asyncio.to_thread(shutil.copyfile, folder.stamp_file, stage / folder.stamp_file.name)

        def report_from_thread(progress: Progress) -> None:
            loop.call_soon_threadsafe(partial(job.report, progress))

        await asyncio.to_thread(backup_file.pack, target, _files(stage), report_from_thread)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return BackedUp(file=str(target.absolute()), bytes=target.stat().st_size)


def restore(source: Path, data: Path, report: Report) -> None:
    """Restore the backup *source* to the data folder *data*, which must be new or empty.

    The folder gets its stamp file last, and no server starts without it. Raise `Malformed`,
    `Corrupt`, or `Misconfigured` if the folder is not empty or cannot be written.
    """
    if not source.is_file():
        raise Malformed("file", f"{source}: there is no such file")
    folder = DataFolder(data)
    stage = data / ".restoring"
    try:
        if any(not entry.name.startswith(".") for entry in _entries(data)):
            raise Misconfigured(
                f"{data} is not empty; restore into a new folder with --data, or move this one away"
            )
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
    except OSError as exc:
        raise Misconfigured(f"{data}: cannot be written: {exc.strerror}") from exc
    try:
        backup_file.unpack(source, stage, report)
        stamp = DataFolder(stage).stamp()
        if stamp is None:
            raise Malformed("file", f"{source} is not a backup: folder.json is missing")
        check_version(stamp, str(source))
        (stage / folder.journal.name).mkdir(exist_ok=True)
        for entry in sorted(
            _entries(stage), key=lambda entry: entry.name == folder.stamp_file.name
        ):
            entry.rename(data / entry.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    return [*folder.iterdir()] if folder.is_dir() else []


def _files(stage: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(stage.rglob("*")):
        if path.is_file():
            yield path.relative_to(stage).as_posix(), path
