"""The backup file: a tar of the data folder's files, with a manifest of their checksums."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

import msgspec

from analytics.admin.job import Progress, Report
from analytics.errors import Corrupt, Malformed

MANIFEST: Final = "manifest.json"
_NAME: Final = re.compile(r"folder\.json|catalog\.sqlite|store\.duckdb|journal/[\w.-]+")
_PIECE: Final = 1 << 20


class Manifest(msgspec.Struct, frozen=True):
    """The SHA-256 of each file."""

    files: dict[str, str]


def pack(target: Path, files: Iterable[tuple[str, Path]], report: Report) -> None:
    """Write *files*, each under its name, to *target*, which only its owner may read."""
    listed = list(files)
    total = sum(path.stat().st_size for _, path in listed)
    sums: dict[str, str] = {}
    done = 0
    target.touch(mode=0o600)
    with tarfile.open(target, "w") as tar:
        for name, path in listed:
            with path.open("rb") as file:
                info = tar.gettarinfo(arcname=name, fileobj=file)
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                reader = _Summed(file)
                tar.addfile(info, reader)
            sums[name] = reader.sum()
            done += info.size
            report(Progress(done, total, name))
        content = msgspec.json.encode(Manifest(sums))
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def unpack(source: Path, folder: Path, report: Report) -> None:
    """Write what *source* holds into the empty *folder*.

    Raises `Malformed` for a file that is not a backup, `Corrupt` for a damaged one.
    """
    total = source.stat().st_size
    sums: dict[str, str] = {}
    manifest = None
    try:
        with tarfile.open(source, "r:*") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is None or not (_NAME.fullmatch(member.name) or member.name == MANIFEST):
                    raise Malformed("file", f"{source} is not a backup: it holds {member.name!r}")
                if member.name == MANIFEST:
                    manifest = msgspec.json.decode(content.read(), type=Manifest)
                    continue
                sums[member.name] = _write(content, folder / member.name)
                report(Progress(min(member.offset_data + member.size, total), total, member.name))
    except (tarfile.ReadError, EOFError, msgspec.MsgspecError) as exc:
        if sums:
            raise Corrupt(f"{source} is damaged or cut short: {exc}") from exc
        raise Malformed(
            "file", f"{source} is not a backup; give a file that `analytics backup` has written"
        ) from exc
    if manifest is None:
        raise Corrupt(f"{source} is cut short: its manifest is missing")
    damaged = sorted(
        name for name in {*sums, *manifest.files} if sums.get(name) != manifest.files.get(name)
    )
    if damaged:
        raise Corrupt(f"{source} is damaged: {', '.join(damaged)} is not what was backed up")


def _write(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    reader = _Summed(content)
    with path.open("xb") as file:
        while piece := reader.read(_PIECE):
            file.write(piece)
    path.chmod(0o600)
    return reader.sum()


class _Summed:
    """A file, hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._hash.update(piece)
        return piece

    def sum(self) -> str:
        return self._hash.hexdigest()
