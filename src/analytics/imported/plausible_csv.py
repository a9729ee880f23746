"""Reads one CSV file of Plausible's export, with the sums of one kind.

Columns of later versions that are not known here are passed over, and named. Sources, browsers and
systems get the names that they have here, so that they join those of events.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from analytics import bounds, localtime, parsing, place_names, printable
from analytics.errors import Malformed
from analytics.event import PAGEVIEW
from analytics.imported.city_names import CityNames
from analytics.imported.daily_sums import DailySum, Ignore, SumKind
from analytics.imported.export_budget import ExportBudget
from analytics.pipeline.source import Sources

_BROWSERS: Final = {
    "Microsoft Edge": "Edge",
    "Internet Explorer": "IE",
    "Samsung Browser": "Samsung Internet",
}
_SYSTEMS: Final = {"Mac": "Mac OS X", "GNU/Linux": "Linux"}
_DEVICES: Final = {"Laptop": "Desktop"}
_NO_COUNTRY: Final = "ZZ"
_NO_CITY: Final = "0"
_REGION: Final = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
_SHOWN: Final = 80
"""Characters of a value or of a column's name that are shown."""
_MOST_IGNORED: Final = 20
"""Columns of a file that are named as not known."""


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
_NEEDED: Final[Mapping[SumKind, str]] = {
    SumKind.PAGES: "page",
    SumKind.CUSTOM_EVENTS: "name",
}
"""The column of text that a kind cannot do without; of other kinds it is any of theirs."""


class _Place(NamedTuple):
    """Where a day was read first."""

    file: object
    name: str
    line: int


DaysRead = dict[int, _Place]
"""The days of one kind that were read already."""


class CsvFile:
    """One file of the export."""

    def __init__(
        self,
        name: str,
        kind: SumKind,
        days: range | None,
        days_read: DaysRead,
        budget: ExportBudget,
        ignore: Ignore,
    ) -> None:
        self._name = name
        self._kind = kind
        self._days = days
        self._days_read = days_read
        self._budget = budget
        self._ignore = ignore
        self._line = 1
        self._sources = Sources()
        self._cities = CityNames()

    def sums(self, text: io.TextIOWrapper) -> Iterator[DailySum]:
        """Yield the sums in *text*."""
        reader = csv.reader(text, strict=True)
        try:
            header = next(reader, [])
            self._check_header(header)
            for values in reader:
                self._line = reader.line_num
                if not values:
                    continue
                self._budget.take_row()
                self._check_text(values)
                if len(values) != len(header):
                    raise self._malformed(
                        f"has {len(values):,} values, and the first line {len(header):,}"
                    )
                row = dict(zip(header, values, strict=True))
                counts = {name: self._count(name, row[name]) for name in _COUNTS if row.get(name)}
                day = self._day(row["date"])
                if any(counts.values()):
                    self._check_day(day, row["date"])
                    yield self._sum(row, day, counts)
        except csv.Error as exc:
            self._line = max(reader.line_num, 1)
            raise self._malformed(f"is not CSV: {exc}") from exc

    def _check_header(self, header: Sequence[str]) -> None:
        """Raise `Malformed` for what would bring sums without days, numbers or names."""
        self._check_text(header)
        if "date" not in header:
            raise self._malformed("its first line names no column date")
        if len(set(header)) < len(header):
            raise self._malformed("its first line names a column twice")
        texts = _TEXTS[self._kind]
        needed = [_NEEDED[self._kind]] if self._kind in _NEEDED else list(texts)
        if needed and not any(name in header for name in needed):
            which = (
                f"names no column {needed[0]}"
                if len(needed) == 1
                else f"names none of the columns {', '.join(needed)}"
            )
            raise self._malformed(f"its first line {which}")
        if not any(name in header for name in _COUNTS):
            raise self._malformed(
                f"its first line names no column of numbers; those are {', '.join(_COUNTS)}"
            )
        known = {"date", *texts, *_COUNTS}
        if ignored := [printable.escaped(n[:_SHOWN]) for n in header if n not in known]:
            self._ignore(self._name, ignored[:_MOST_IGNORED])

    def _check_text(self, values: Sequence[str]) -> None:
        try:
            "".join(values).encode()
        except UnicodeEncodeError as exc:
            raise self._malformed("is not in UTF-8") from exc

    def _check_day(self, day: int, text: str) -> None:
        """Raise `Malformed` for a day that would count twice, or is not in the file's range."""
        if self._days is not None and day not in self._days:
            raise self._malformed(f"date: {text} is not in the range of the file's name")
        where = self._days_read.setdefault(day, _Place(self, self._name, self._line))
        if where.file is not self:
            raise self._malformed(f"date: {text} is in {where.name}, too, and would count twice")
        if self._kind is SumKind.VISITORS and where.line != self._line:
            raise self._malformed(f"date: {text} is in line {where.line}, too")

    def _sum(self, row: Mapping[str, str], day: int, numbers: Mapping[str, int]) -> DailySum:
        texts = {
            column.field: self._text(name, row[name], column.names)
            for name, column in _TEXTS[self._kind].items()
            if name in row
        }
        counts = dict.fromkeys(_COUNTS.values(), 0)
        for name, number in numbers.items():
            counts[_COUNTS[name]] = number
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
                self._check_place(texts)
                fields["entry_city"] = self._cities.of(texts.get("entry_city", ""))
        if self._kind is not SumKind.CUSTOM_EVENTS:
            fields["events"] = fields["pageviews"]
        return DailySum(kind=self._kind, day=day, **fields)

    def _check_place(self, texts: Mapping[str, str]) -> None:
        country, region = (texts.get(field, "") for field in ("entry_country", "entry_region"))
        if country and country not in place_names.countries():
            raise self._malformed(
                f"country: {country[:_SHOWN]!r} is not an ISO 3166-1 code such as DE"
            )
        if region and not _REGION.fullmatch(region):
            raise self._malformed(
                f"region: {region[:_SHOWN]!r} is not an ISO 3166-2 code such as DE-BE"
            )

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
