"""The format of backups: a tar of the data folder's files, with a manifest of checksums."""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Final

import msgspec

from analytics.admin.operation_context import Progress, Report
from analytics.errors import UNDECODABLE, AnalyticsError, Corrupt, Malformed, Misconfigured

MANIFEST: Final = "manifest.json"
_NAME: Final = re.compile(
    r"folder\.json|catalog\.sqlite|store\.duckdb|journal/([0-9]{20}\.seg|spare(\.tmp)?)"
)
_MANIFEST_BYTES: Final = 1 << 20
_UNREADABLE: Final = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OverflowError,
    ValueError,
    *UNDECODABLE,
)
_PIECE: Final = 1 << 20


class Manifest(msgspec.Struct, frozen=True):
    """The SHA-256 of each file, by its name in the tar."""

    files: dict[str, str]


def pack(target: Path, files: Iterable[tuple[str, Path]], report: Report) -> None:
    """Write *files*, pairs of name and path, to *target*, which only its owner may read."""
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
    """Unpack the backup *source* to the empty *folder*.

    Raise `Malformed` for a file that is not a backup, `Corrupt` for a damaged one, and
    `Misconfigured` if the folder cannot be written.
    """
    total = source.stat().st_size
    sums: dict[str, str] = {}
    manifest = None
    try:
        with tarfile.open(source, "r:*") as tar:
            for member in tar:
                _check(member, source, checksums=sums)
                content = tar.extractfile(member)
                if content is None:
                    raise Malformed("file", f"{source} is not a backup: it holds {member.name!r}")
                if member.name == MANIFEST:
                    manifest = msgspec.json.decode(content.read(_MANIFEST_BYTES), type=Manifest)
                    continue
                sums[member.name] = _write(content, folder / member.name)
                report(Progress(min(member.offset_data + member.size, total), total, member.name))
    except AnalyticsError:
        raise
    except (*_UNREADABLE, OSError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            # An error of the disk: errors in compressed data have no number.
            raise Misconfigured(
                f"{source} cannot be restored to {folder.parent}: {exc.strerror or exc}"
            ) from exc
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


def _check(member: tarfile.TarInfo, source: Path, *, checksums: Collection[str]) -> None:
    """Raise `Malformed` for a member that `pack` never writes, as it may be malicious."""
    ours = _NAME.fullmatch(member.name) or member.name == MANIFEST
    if not ours or not member.isreg() or member.issparse():
        raise Malformed("file", f"{source} is not a backup: it holds {member.name!r}")
    if member.name in checksums:
        raise Malformed("file", f"{source} is not a backup: it holds {member.name!r} twice")


def _write(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    reader = _Summed(content)
    with path.open("xb") as file:
        while piece := reader.read(_PIECE):
            file.write(piece)
    path.chmod(0o600)
    return reader.sum()


class _Summed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._hash.update(piece)
        return piece

    def sum(self) -> str:
        return self._hash.hexdigest()
