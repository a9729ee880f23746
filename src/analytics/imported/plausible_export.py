"""Reads the export of Plausible: a ZIP archive of CSV files with daily sums, one for each kind.

Any of the files may be missing, as its documentation says; two of one kind have no day in common.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from analytics import bounds, localtime, printable
from analytics.errors import Malformed
from analytics.imported.daily_sums import DailySum, Ignore, SumKind
from analytics.imported.export_budget import BoundedFile, ExportBudget
from analytics.imported.plausible_csv import CsvFile, DaysRead

_FILE: Final = re.compile(r"imported_([a-z_]+?)(?:_([0-9]{8})_([0-9]{8}))?\.csv")
_SHOWN: Final = 80
"""Characters of a file's name that an error shows."""
_SIGNATURE: Final = b"PK\x03\x04"
"""What a ZIP archive begins with."""


def _ignore_silently(_file: str, _columns: Sequence[str]) -> None:
    """Say nothing of columns that are not known."""


def read(
    path: Path,
    today: int,
    *,
    ignore: Ignore = _ignore_silently,
    rows: int = bounds.IMPORT_ROWS,
    unpacked_bytes: int = bounds.IMPORT_UNPACKED_BYTES,
) -> Iterator[DailySum]:
    """Yield the sums of the export at *path*, at most *rows* of at most *unpacked_bytes*.

    Raise `Malformed`; see `Reader`.
    """
    _check_archive(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _sums(archive, ExportBudget(today, rows, unpacked_bytes), ignore)
    except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
        raise Malformed("file", f"is damaged ({exc}); export or copy it again") from exc
    except (NotImplementedError, RuntimeError) as exc:
        raise Malformed("file", f"is not a ZIP archive that can be read: {exc}") from exc


def _check_archive(path: Path) -> None:
    """Raise `Malformed`, in plain words, for a file that is not a whole ZIP archive."""
    if zipfile.is_zipfile(path):
        return
    with path.open("rb") as file:
        start = file.read(len(_SIGNATURE))
    if not start:
        raise Malformed("file", "is empty; export or copy it again")
    if start == _SIGNATURE:
        raise Malformed("file", "is cut short: a ZIP archive's end is missing; copy it again")
    raise Malformed("file", "is not a ZIP archive, as Plausible exports one")


class _Member(NamedTuple):
    """A file of the archive that holds sums."""

    info: zipfile.ZipInfo
    name: str
    """Without its folder, for people."""
    kind: SumKind
    days: range | None
    """The range in its name, in days since 1970; None if it has none."""


def _sums(archive: zipfile.ZipFile, budget: ExportBudget, ignore: Ignore) -> Iterator[DailySum]:
    days_read: dict[SumKind, DaysRead] = {}
    for info, name, kind, days in _members(archive):
        with archive.open(info) as file:
            # What is not in UTF-8 is found by row, so that its line can be named.
            text = io.TextIOWrapper(
                io.BufferedReader(BoundedFile(file, budget)),
                encoding="utf-8-sig",
                errors="surrogateescape",
                newline="",
            )
            earlier = days_read.setdefault(kind, DaysRead())
            yield from CsvFile(name, kind, days, earlier, budget, ignore).sums(text)


def _members(archive: zipfile.ZipFile) -> Sequence[_Member]:
    """Return the files of the archive that hold sums."""
    members = []
    for member in archive.infolist():
        folder, _, name = member.filename.rpartition("/")
        if not name or name.startswith(".") or folder.startswith("__MACOSX"):
            continue  # a folder, or what a Mac adds when it packs one
        match = _FILE.fullmatch(name)
        shown = printable.escaped(name[:_SHOWN])
        if match is None or match[1] not in frozenset(SumKind):
            names = ", ".join(f"imported_{kind}" for kind in SumKind)
            raise Malformed(
                shown,
                f"is no file of Plausible's export; those are {names}, each with .csv behind it,"
                " perhaps with the days before that, such as _20230209_20240123",
            )
        days = None if match[2] is None else _days(shown, match[2], match[3])
        members.append(_Member(member, shown, SumKind(match[1]), days))
    if not members:
        raise Malformed("file", "holds no imported_….csv, as Plausible's export does")
    return members


def _days(name: str, first: str, last: str) -> range:
    """Return the range from *first* to *last*. Raise `Malformed` for the file *name*."""
    days = range(_day(name, first), _day(name, last) + 1)
    if not days:
        raise Malformed(name, "the range of days in its name ends before it begins")
    return days


def _day(name: str, text: str) -> int:
    with suppress(ValueError):
        return localtime.day_number(date.fromisoformat(text))
    raise Malformed(name, f"{text!r} in its name is not a day like 20230209")
