"""Destinations of the files of an export; each file appears there as a whole, or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from analytics import extras
from analytics.errors import Unavailable
from analytics.settings.exports import ExportsSettings


class Destination(Protocol):
    """A place for files by name, in which slashes separate folders."""

    async def put(self, name: str, file: Path) -> None:
        """Store the content of *file* under *name*, in place of an older one.

        Raise `Unavailable`.
        """

    async def delete(self, name: str) -> None:
        """Delete the file *name* if it exists. Raise `Unavailable`."""


def destination(settings: ExportsSettings) -> Destination:
    """Return the destination in *settings*. Raise `Misconfigured` if its extra is missing."""
    if settings.target.startswith("s3://"):
        extras.require("exports.target in a bucket", "obstore", extra="s3")
        return BucketDestination(settings)
    return FolderDestination(Path(settings.target))


class FolderDestination:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, name: str, file: Path) -> None:
        """See `Destination.put`; the file is written under another name, then renamed."""
        await asyncio.to_thread(self._put, self._folder / name, file)

    async def delete(self, name: str) -> None:
        """See `Destination.delete`; empty folders are deleted, too."""
        await asyncio.to_thread(self._delete, self._folder / name)

    def _put(self, path: Path, file: Path) -> None:
        partial = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, partial)
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(path)
        except OSError as exc:
            with suppress(OSError):
                partial.unlink()
            raise Unavailable(f"the export cannot be written to {path}: {exc.strerror}") from exc

    def _delete(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        except OSError as exc:
            raise Unavailable(f"the export {path} cannot be deleted: {exc.strerror}") from exc


class BucketDestination:
    """A bucket of an S3-compatible server, in which an object appears once it is complete."""

    def __init__(self, settings: ExportsSettings) -> None:
        from obstore.store import S3Store

        bucket, _, prefix = settings.target.removeprefix("s3://").partition("/")
        self._name = settings.target
        self._store = S3Store(
            bucket,
            prefix=prefix.strip("/") or None,
            endpoint=settings.s3_endpoint or None,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key_id or None,
            secret_access_key=settings.s3_secret_access_key.get_secret_value() or None,
            client_options={"allow_http": settings.s3_endpoint.startswith("http:")},
        )

    async def put(self, name: str, file: Path) -> None:
        """See `Destination.put`."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            await obstore.put_async(self._store, name, file)
        except (BaseError, OSError) as exc:
            raise self._fault(name, exc) from exc

    async def delete(self, name: str) -> None:
        """See `Destination.delete`."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as exc:
            raise self._fault(name, exc) from exc

    def _fault(self, name: str, exc: Exception) -> Unavailable:
        reason = str(exc).partition("\n")[0][:300]
        return Unavailable(f"{self._name} does not take {name}: {reason}")
