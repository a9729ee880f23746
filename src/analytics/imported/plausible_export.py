"""Reads the export of Plausible: a ZIP archive of CSV files with daily sums, one for each kind.

Every file and every column but `date` may be missing, as its documentation says; columns of later
versions that are not known here are passed over. Sources, browsers and systems get the names that
they have here, so that they join those of events.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from analytics import bounds, localtime, parsing, printable
from analytics.errors import Malformed
from analytics.event import PAGEVIEW
from analytics.imported.city_names import CityNames
from analytics.imported.daily_sums import DailySum, SumKind
from analytics.pipeline.source import Sources

_FILE: Final = re.compile(r"imported_([a-z_]+?)(?:_[0-9]{8}_[0-9]{8})?\.csv")
_BROWSERS: Final = {
    "Microsoft Edge": "Edge",
    "Internet Explorer": "IE",
    "Samsung Browser": "Samsung Internet",
}
_SYSTEMS: Final = {"Mac": "Mac OS X", "GNU/Linux": "Linux"}
_DEVICES: Final = {"Laptop": "Desktop"}
_NO_COUNTRY: Final = "ZZ"
_NO_CITY: Final = "0"
_SHOWN: Final = 80
"""Characters of a file's name that an error shows."""


class _Column(NamedTuple):
    """Where a column of the export goes."""

    field: str
    names: Mapping[str, str] = {}
    """Values that have another name here."""


_COUNTS: Final = {
    "visitors": "visitors",
    "visits": "visits",
    "entrances": "visits",
    "exits": "visits",
    "pageviews": "pageviews",
    "events": "events",
    "bounces": "bounces",
    "visit_duration": "seconds",
    "total_scroll_depth": "scroll_sum",
    "total_scroll_depth_visits": "scroll_visits",
    "total_time_on_page": "engaged_s",
    "total_time_on_page_visits": "engaged_visits",
}
"""The field of each column of numbers."""
_TEXTS: Final[Mapping[SumKind, Mapping[str, _Column]]] = {
    SumKind.VISITORS: {},
    SumKind.SOURCES: {
        "source": _Column("entry_source"),
        "referrer": _Column("entry_referrer"),
        "utm_source": _Column("entry_utm_source"),
        "utm_medium": _Column("entry_utm_medium"),
        "utm_campaign": _Column("entry_utm_campaign"),
        "utm_content": _Column("entry_utm_content"),
        "utm_term": _Column("entry_utm_term"),
    },
    SumKind.PAGES: {"hostname": _Column("hostname"), "page": _Column("path")},
    SumKind.ENTRY_PAGES: {"entry_page": _Column("entry_path")},
    SumKind.EXIT_PAGES: {"exit_page": _Column("exit_path")},
    SumKind.CUSTOM_EVENTS: {
        "name": _Column("name"),
        "link_url": _Column("url"),
        "path": _Column("path"),
    },
    SumKind.LOCATIONS: {
        "country": _Column("entry_country", {_NO_COUNTRY: ""}),
        "region": _Column("entry_region"),
        "city": _Column("entry_city", {_NO_CITY: ""}),
    },
    SumKind.DEVICES: {"device": _Column("entry_device", _DEVICES)},
    SumKind.BROWSERS: {
        "browser": _Column("entry_browser", _BROWSERS),
        "browser_version": _Column("entry_browser_version"),
    },
    SumKind.OPERATING_SYSTEMS: {
        "operating_system": _Column("entry_os", _SYSTEMS),
        "operating_system_version": _Column("entry_os_version"),
    },
}
"""The field of each column of text, by the kind of the file."""


def read(
    path: Path,
    today: int,
    *,
    rows: int = bounds.IMPORT_ROWS,
    unpacked_bytes: int = bounds.IMPORT_UNPACKED_BYTES,
) -> Iterator[DailySum]:
    """Yield the sums of the export at *path*, at most *rows* of at most *unpacked_bytes*.

    Raise `Malformed`; see `Reader`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _sums(archive, _Budget(today, rows, unpacked_bytes))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as exc:
        raise Malformed("file", f"is not a ZIP archive that can be read: {exc}") from exc


class _Budget:
    """What may still be read of one export."""

    def __init__(self, today: int, rows: int, size: int) -> None:
        self.today = today
        self._most_rows = self._rows = rows
        self._most_bytes = self._bytes = size

    def take_row(self) -> None:
        """Count a row. Raise `Malformed` for one too many."""
        self._rows -= 1
        if self._rows < 0:
            raise Malformed(
                "file",
                f"has more than {self._most_rows:,} rows: export fewer days, and import one"
                " export after the other",
            )

    def take_bytes(self, size: int) -> None:
        """Count *size* unpacked bytes. Raise `Malformed` for too many."""
        self._bytes -= size
        if self._bytes < 0:
            raise Malformed(
                "file",
                f"unpacks to more than {self._most_bytes >> 20:,} MiB: export fewer"
                " days, and import one export after the other",
            )


class _Bounded(io.RawIOBase):
    """An unpacked file, of which no more is read than the budget has."""

    def __init__(self, file: IO[bytes], budget: _Budget) -> None:
        self._file = file
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read(len(buffer))
        self._budget.take_bytes(len(piece))
        buffer[: len(piece)] = piece
        return len(piece)


def _sums(archive: zipfile.ZipFile, budget: _Budget) -> Iterator[DailySum]:
    members = _members(archive)
    for member, kind in members:
        with archive.open(member) as file:
            text = io.TextIOWrapper(
                io.BufferedReader(_Bounded(file, budget)), encoding="utf-8-sig", newline=""
            )
            yield from _CsvFile(member.filename, kind, budget).sums(text)


def _members(archive: zipfile.ZipFile) -> Sequence[tuple[zipfile.ZipInfo, SumKind]]:
    """Return the files of the archive that hold sums, each with its kind."""
    members = []
    for member in archive.infolist():
        folder, _, name = member.filename.rpartition("/")
        if not name or name.startswith(".") or folder.startswith("__MACOSX"):
            continue  # a folder, or what a Mac adds when it packs one
        match = _FILE.fullmatch(name)
        if match is None or match[1] not in frozenset(SumKind):
            names = ", ".join(f"imported_{kind}" for kind in SumKind)
            raise Malformed(
                printable.escaped(name[:_SHOWN]),
                f"is no file of Plausible's export; those are {names}, each with _<first day>_<last"
                " day>.csv behind it",
            )
        members.append((member, SumKind(match[1])))
    if not members:
        raise Malformed("file", "holds no imported_….csv, as Plausible's export does")
    return members


class _CsvFile:
    """One file of the export."""

    def __init__(self, name: str, kind: SumKind, budget: _Budget) -> None:
        self._name = printable.escaped(name.rpartition("/")[2][:_SHOWN])
        self._kind = kind
        self._budget = budget
        self._line = 1
        self._sources = Sources()
        self._cities = CityNames()

    def sums(self, text: io.TextIOWrapper) -> Iterator[DailySum]:
        """Yield the sums in *text*."""
        reader = csv.reader(text, strict=True)
        try:
            header = next(reader, [])
            if "date" not in header:
                raise self._malformed("its first line names no column date")
            if len(set(header)) < len(header):
                raise self._malformed("its first line names a column twice")
            for values in reader:
                self._line = reader.line_num
                if not values:
                    continue
                self._budget.take_row()
                if len(values) != len(header):
                    raise self._malformed(
                        f"has {len(values):,} values, and the first line {len(header):,}"
                    )
                yield self._sum(dict(zip(header, values, strict=True)))
        except UnicodeDecodeError as exc:
            raise self._malformed(f"is not in UTF-8 ({exc.reason})") from exc
        except csv.Error as exc:
            self._line = max(reader.line_num, 1)
            raise self._malformed(f"is not CSV: {exc}") from exc

    def _sum(self, row: Mapping[str, str]) -> DailySum:
        texts = {
            column.field: self._text(name, row[name], column.names)
            for name, column in _TEXTS[self._kind].items()
            if name in row
        }
        counts = dict.fromkeys(_COUNTS.values(), 0)
        for name, field in _COUNTS.items():
            if row.get(name):
                counts[field] = self._count(name, row[name])
        # An average is not of more than there is: no rate is above 100 %.
        counts["bounces"] = min(counts["bounces"], counts["visits"])
        counts["scroll_sum"] = min(counts["scroll_sum"], 100 * counts["scroll_visits"])
        fields: dict[str, Any] = {**texts, **counts}
        match self._kind:
            case SumKind.CUSTOM_EVENTS:
                props = {key: fields.pop(key, "") for key in ("url", "path")}
                fields["props"] = {key: value for key, value in props.items() if value}
            case SumKind.SOURCES:
                fields |= self._source(texts)
            case SumKind.PAGES:
                fields["name"] = PAGEVIEW
            case SumKind.LOCATIONS:
                fields["entry_city"] = self._cities.of(texts.get("entry_city", ""))
        if self._kind is not SumKind.CUSTOM_EVENTS:
            fields["events"] = fields["pageviews"]
        return DailySum(kind=self._kind, day=self._day(row["date"]), **fields)

    def _source(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Return the source by the name that it has here, and the channel, which is not exported.

        The export names the source; it is not looked for again in the referrer.
        """
        source, channel = self._sources.resolve(
            "",
            texts.get("entry_source", ""),
            texts.get("entry_utm_medium", ""),
            texts.get("entry_utm_campaign", ""),
            "",
        )
        return {"entry_source": source, "entry_channel": channel}

    def _day(self, text: str) -> int:
        try:
            day = localtime.day_number(parsing.day(text, "date"))
        except Malformed as exc:
            raise self._malformed(str(exc)) from exc
        if day > self._budget.today + 1:  # it may be tomorrow where the site is
            raise self._malformed(f"date: {text} is yet to come")
        return day

    def _count(self, name: str, text: str) -> int:
        try:
            return parsing.whole_number(text, name, least=0, most=bounds.IMPORT_COUNT)
        except Malformed as exc:
            raise self._malformed(str(exc)) from exc

    def _text(self, name: str, text: str, names: Mapping[str, str]) -> str:
        if len(text) > bounds.URL_CHARS:
            raise self._malformed(f"{name}: is longer than {bounds.URL_CHARS:,} characters")
        return names.get(text, printable.stripped(text))

    def _malformed(self, reason: str) -> Malformed:
        return Malformed(f"{self._name}, line {self._line}", reason)
