"""The data folder: its layout, its version, its one owner."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from analytics import __version__, durable_file, file_lock
from analytics.errors import UNDECODABLE, Misconfigured

VERSION: Final = 1
"""Of the layout; raised when an older program would misread what a newer one wrote."""
_NOT_OURS: Final = frozenset({"lost+found", "cluster"})
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ROOT: Final = 0
_UNFETCHED_S: Final = 24 * 60 * 60


class Stamp(msgspec.Struct, frozen=True):
    """The content of `folder.json`."""

    version: int
    program: str
    """The version of the program that made the folder."""


class DataFolder:
    """Paths inside the folder. Nothing is made or opened before `held`."""

    def __init__(self, path: Path) -> None:
        path = path.absolute()  # some of its files are named to processes that work elsewhere
        self.path = path
        self.stamp_file = path / "folder.json"
        self.lock_file = path / "lock"
        self.socket = path / "analytics.sock"
        self.catalog = path / "catalog.sqlite"
        self.store = path / "store.duckdb"
        self.journal = path / "journal"
        self.exports = path / "exports.json"
        """What the scheduled export has written so far."""
        self.spool = path / "spool"
        """Hits that Kafka does not have yet."""
        self.scratch = path / "tmp"
        """Files waiting to be fetched; at a start, those older than a day are deleted."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Own the folder, made if need be, while the block runs.

        Raises `FolderInUse` when another process owns it, `Misconfigured` when it cannot be
        used or was written by a newer version.
        """
        self._make()
        with file_lock.exclusive(self.lock_file, self._in_use) as descriptor:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            self._check_version()
            self._tidy()
            yield
            os.ftruncate(descriptor, 0)

    def owner(self) -> int | None:
        """Return the process id in the lock file; None if no owner is known."""
        try:
            return int(self.lock_file.read_text("ascii"))
        except (OSError, ValueError):
            return None

    def _in_use(self) -> str:
        owner = self.owner()
        return f"{self.path} is in use by {f'process {owner}' if owner else 'another process'}"

    def stamp(self) -> Stamp | None:
        """Return the folder's stamp; None if it is new."""
        try:
            content = self.stamp_file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise Misconfigured(f"{self.path}: cannot be read: {exc.strerror}") from exc
        try:
            return msgspec.json.decode(content, type=Stamp)
        except UNDECODABLE as exc:
            raise Misconfigured(f"{self.stamp_file}: cannot be understood: {exc}") from exc

    def _make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = {entry.name for entry in self.path.iterdir()} - _NOT_OURS
        except (FileExistsError, NotADirectoryError):
            raise Misconfigured(f"{self.path} is not a folder; name another with --data") from None
        except OSError as exc:
            raise Misconfigured(
                f"{self.path}: {exc.strerror or exc}; name a folder with --data in which "
                "this user may write"
            ) from exc
        ours = {self.stamp_file.name, self.lock_file.name}
        if not ours & names and any(not name.startswith(".") for name in names):
            raise Misconfigured(
                f"{self.path} holds other files and is not an analytics folder; "
                "name an empty or a new one with --data"
            )
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise Misconfigured(f"{self.path}: this user may not write there")
        self._close_to_others()

    def exposure(self, user: int) -> str | None:
        """Return how users besides *user* and root can reach the folder, and the remedy.

        Return None if they cannot.
        """
        status = self.path.stat()
        if status.st_uid not in (user, _ROOT):
            return (
                f"{self.path} belongs to {_user(status.st_uid)}, who can replace and delete what is"
                f" in it; run `chown -R {_user(user)} {self.path}`"
            )
        if status.st_mode & _OTHERS:
            return (
                f"{self.path} is open to other users of this machine (its mode is"
                f" {stat.S_IMODE(status.st_mode):04o}), and files of older versions in it may be"
                f" readable; run `chmod -R go= {self.path}`"
            )
        return None

    def user(self) -> int:
        """Return the id of the user that serves the folder, as far as it says so."""
        try:
            return self.stamp_file.stat().st_uid
        except OSError:
            return os.geteuid()

    def _close_to_others(self) -> None:
        """Take away the permissions of other users: files of an older version may be readable.

        A folder of somebody else, such as a volume of a container, keeps its permissions; what is
        made in it is readable for its owner alone (the command's umask). A server warns of it.
        """
        status = self.path.stat()
        if status.st_uid == os.geteuid() and status.st_mode & _OTHERS:
            with suppress(OSError):
                self.path.chmod(status.st_mode & 0o7777 & ~_OTHERS)

    def _check_version(self) -> None:
        stamp = self.stamp()
        if stamp is None:
            stamp = Stamp(version=VERSION, program=__version__)
            durable_file.replace(self.stamp_file, msgspec.json.encode(stamp))
        else:
            check_version(stamp, str(self.path))

    def _tidy(self) -> None:
        self.scratch.mkdir(mode=0o700, exist_ok=True)
        for file in self.scratch.iterdir():
            if file.stat().st_mtime < time.time() - _UNFETCHED_S:
                shutil.rmtree(file) if file.is_dir() else file.unlink()


def check_version(stamp: Stamp, what: str) -> None:
    """Raise `Misconfigured` when *what* was written by a newer version than this program."""
    if stamp.version > VERSION:
        raise Misconfigured(
            f"{what} is of version {stamp.version}, made by analytics {stamp.program}; this is "
            f"analytics {__version__}, which knows version {VERSION}: upgrade it"
        )


def _user(number: int) -> str:
    """Return the name of the user with that id; the id where it has no name, as in a container."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
