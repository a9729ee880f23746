"""The daily salts of the cookieless visitor hash: read from memory, stored apart from the catalog.

With a day's salt, the addresses behind that day's hashes can be found by trial. So salts are not
stored in a database, whose files keep old pages for a long time, nor in backups: each has a small
file of its own, which is overwritten before it is removed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from analytics import durable_file
from analytics.catalog.base import SaltMissing
from analytics.errors import StoreUnavailable

KEEP_DAYS: Final = 2
_SALT_BYTES: Final = 16
_DAY_BYTES: Final = 8
_LEAVE_ALONE_S: Final = 1.0
"""Seconds without another attempt after a failure, so that waiting hits do not each cause one."""


class Salt(NamedTuple):
    """The salt of a day, and the day on which it was made."""

    made_on: int
    salt: bytes


class SaltKeeper(Protocol):
    """The storage of salts. It is used by one thread at a time."""

    def load(self) -> Mapping[int, Salt]:
        """Return the stored salts by day."""

    def make(self, days: Collection[int], today: int) -> Mapping[int, Salt]:
        """Make the missing salts of *days*, delete expired ones, and return all that are stored.

        Raise `StoreUnavailable` if that is not possible: then no salt was made.
        """


def is_over(day: int, salt: Salt, today: int) -> bool:
    """Return True if the salt of *day* has expired and must be deleted."""
    oldest = today - KEEP_DAYS
    return day < oldest and salt.made_on < oldest


def renewed(salts: Mapping[int, Salt], days: Collection[int], today: int) -> Mapping[int, Salt]:
    """Return *salts* without expired ones, and with new ones for the missing *days*."""
    kept = {day: salt for day, salt in salts.items() if not is_over(day, salt, today)}
    for day in days:
        if day not in kept:
            kept[day] = Salt(today, secrets.token_bytes(_SALT_BYTES))
    return kept


class DailySalts:
    """`Salts` from a keeper, read from memory. Only `make` waits for the keeper, in a thread."""

    def __init__(self, keeper: SaltKeeper) -> None:
        self._keeper = keeper
        self._salts: Mapping[int, Salt] = {}
        self._making = asyncio.Lock()
        self._failed_at = -_LEAVE_ALONE_S
        self._fault = ""

    def load(self) -> None:
        """Load all salts into memory."""
        self._salts = self._keeper.load()

    def take(self, salts: Mapping[int, Salt]) -> None:
        """Replace the salts in memory with *salts*, which another process has changed."""
        self._salts = salts

    def of(self, day: int, *, today: int) -> bytes:
        """See `Salts.of`."""
        kept = self._salts.get(day)
        if kept is None or is_over(day, kept, today):
            raise SaltMissing(day)
        return kept.salt

    async def make(self, days: Collection[int], *, today: int) -> None:
        """See `Salts.make`."""
        async with self._making:  # a caller that waited finds what the one before has made
            salts = self._salts
            if all(day in salts for day in days) and not any(
                is_over(day, kept, today) for day, kept in salts.items()
            ):
                return
            if time.monotonic() - self._failed_at < _LEAVE_ALONE_S:
                raise StoreUnavailable(self._fault)
            try:
                self._salts = await asyncio.to_thread(self._keeper.make, [*days], today)
            except StoreUnavailable as exc:
                self._fault, self._failed_at = str(exc), time.monotonic()
                raise


class SaltMemory:
    """A keeper in memory only."""

    def __init__(self) -> None:
        self._salts: Mapping[int, Salt] = {}

    def load(self) -> Mapping[int, Salt]:
        """Return the salts made so far."""
        return self._salts

    def make(self, days: Collection[int], today: int) -> Mapping[int, Salt]:
        """See `SaltKeeper.make`."""
        self._salts = renewed(self._salts, days, today)
        return self._salts


class SaltFolder:
    """A keeper with one file per day: the day on which the salt was made, then the salt."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> Mapping[int, Salt]:
        """Return the stored salts; delete files that were not written completely."""
        with _kept_in(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            salts = {}
            for path in self._folder.iterdir():
                content = path.read_bytes()
                if path.suffix or len(content) != _DAY_BYTES + _SALT_BYTES:
                    _forget(path)
                    continue
                made_on = int.from_bytes(content[:_DAY_BYTES], "big")
                salts[int(path.name)] = Salt(made_on, content[_DAY_BYTES:])
            return salts

    def make(self, days: Collection[int], today: int) -> Mapping[int, Salt]:
        """See `SaltKeeper.make`."""
        salts = renewed(self.load(), days, today)
        self.keep(salts)
        return salts

    def keep(self, salts: Mapping[int, Salt]) -> None:
        """Store exactly *salts*, durably. Raise `StoreUnavailable`."""
        stored = self.load()
        with _kept_in(self._folder):
            for day in stored.keys() - salts.keys():
                _forget(self._folder / str(day))
            for day, salt in salts.items():
                if stored.get(day) != salt:
                    self._write(day, salt)
            durable_file.sync_folder(self._folder)

    def _write(self, day: int, salt: Salt) -> None:
        path = self._folder / str(day)
        if path.exists():
            _forget(path)
        durable_file.replace(path, salt.made_on.to_bytes(_DAY_BYTES, "big") + salt.salt)


def _forget(path: Path) -> None:
    """Overwrite the file, so that its blocks on disk do not keep the salt, and remove it."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreUnavailable(f"{folder}: salts cannot be kept there: {exc.strerror}") from exc
