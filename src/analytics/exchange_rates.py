"""Exchange rates from a file that the operator brings, in the form of the ECB's reference rates.

The first line names currencies, each other line has a day and what one unit of the base was worth
in each of them: `Date,USD,JPY` and `2026-11-24,1.0876,163.12`. `N/A` and nothing mean that there
is no rate. Days without a line (weekends, holidays) have the rate of the last day before, if it is
at most `DAYS_KEPT` days older: a currency that is no longer quoted has none.
"""

from __future__ import annotations

import csv
import re
import time
import zipfile
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from analytics import durable_file, localtime
from analytics.currency import is_code
from analytics.errors import Misconfigured
from analytics.query import CurrencyRates, DailyRates

log = structlog.get_logger()

DAYS_KEPT: Final = 7
"""For how many days after its own a rate stands in for missing ones."""
_MOST_BYTES: Final = 4 << 20
_MOST_CURRENCIES: Final = 200
_MOST_CHARS: Final = 40
_LOOK_EVERY_S: Final = 10.0
_RATE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,8})?")
_NO_RATE: Final = frozenset({"", "N/A"})


class ExchangeRates:
    """The rates of a file, by day and currency."""

    def __init__(
        self,
        base: str,
        days: Sequence[int],
        rates: Mapping[str, Sequence[str]],
        *,
        fingerprint: str,
    ) -> None:
        self.fingerprint = fingerprint
        """Of the file: replicas with the same one give the same figures."""
        self._days = days
        """Ascending, counted since 1970-01-01."""
        self._rates = {**rates, base: ["1"] * len(days)}
        """By currency and in the order of the days; "" where there is none."""

    @property
    def last_day(self) -> date:
        """The last day that has rates."""
        return localtime.date_of(self._days[-1])

    @property
    def currencies(self) -> int:
        """The number of currencies, the base included."""
        return len(self._rates)

    def between(self, first: int, last: int) -> DailyRates:
        """Return the rates that are in force on the days from *first* to *last*."""
        begin = bisect_left(self._days, first - DAYS_KEPT)
        end = bisect_right(self._days, last)
        return DailyRates(
            days=tuple(self._days[begin:end]),
            currencies=tuple(
                CurrencyRates(currency=currency, rates=tuple(rates[begin:end]))
                for currency, rates in self._rates.items()
                if any(rates[begin:end])
            ),
        )


class RatesFile:
    """The rates in a file, read again when another file has its name. For several threads."""

    def __init__(
        self, path: Path, base: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._base = base
        self._clock = clock
        self._identity = durable_file.identity(path)
        self._rates = read(path, base)
        self._look_at = clock() + _LOOK_EVERY_S

    def current(self) -> ExchangeRates:
        """Return the rates; those of before while the file is missing or cannot be read."""
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + _LOOK_EVERY_S
            identity = durable_file.identity(self._path)
            if identity != self._identity:
                self._identity = identity
                try:
                    self._rates = read(self._path, self._base)
                except Misconfigured as exc:
                    log.warning("exchange_rates_unreadable", error=str(exc))
        return self._rates


def read(path: Path, base: str) -> ExchangeRates:
    """Return the rates in the file *path*; raise `Misconfigured`, naming the line."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unusable(path, f"it is larger than {_MOST_BYTES:,} bytes; leave out old days")
        text = path.read_text("utf-8-sig")
    except OSError as exc:
        raise _unusable(path, f"it cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        if zipfile.is_zipfile(path):
            raise _unusable(
                path, "this is a ZIP archive: unpack it, and name the CSV file"
            ) from exc
        raise _unusable(
            path, "it cannot be read: it is not text in UTF-8; name a CSV file"
        ) from exc
    if not is_code(base):
        raise Misconfigured(f"store.exchange_base: {_short(base)} is not the code of a currency")
    lines = csv.reader(text.splitlines())
    try:
        currencies = _heading(path, next(lines, []))
        found: dict[int, list[str]] = {}
        for values in lines:
            if not any(values):
                continue
            day, rates = _line(f"{path}:{lines.line_num}", values, currencies)
            if day in found:
                raise _unusable(f"{path}:{lines.line_num}", f"{values[0]} is there twice")
            found[day] = rates
    except csv.Error as exc:
        raise _unusable(f"{path}:{lines.line_num}", str(exc)) from exc
    if not found:
        raise _unusable(path, "it has no day")
    days = sorted(found)
    return ExchangeRates(
        base,
        days,
        {
            currency: [found[day][column] for day in days]
            for column, currency in enumerate(currencies)
            if currency != base
        },
        fingerprint=sha256(f"{base} {text}".encode()).hexdigest()[:8],
    )


def _heading(path: Path, names: Sequence[str]) -> Sequence[str]:
    """Return the currencies that the first line names. The ECB's lines end with a comma."""
    first, *currencies = [name.strip() for name in names] or [""]
    while currencies and not currencies[-1]:
        currencies.pop()
    if first.lower() != "date" or not currencies:
        raise _unusable(f"{path}:1", "it must name currencies, as in Date,USD,JPY")
    if len(currencies) > _MOST_CURRENCIES:
        raise _unusable(f"{path}:1", f"it has more than {_MOST_CURRENCIES} currencies")
    for currency in currencies:
        if not is_code(currency):
            raise _unusable(f"{path}:1", f"{_short(currency)} is not the code of a currency")
    if len({*currencies}) < len(currencies):
        raise _unusable(f"{path}:1", "it names a currency twice")
    return currencies


def _line(where: str, values: Sequence[str], currencies: Sequence[str]) -> tuple[int, list[str]]:
    first, *rates = (value.strip() for value in values)
    try:
        day = localtime.day_number(date.fromisoformat(first))
    except ValueError:
        raise _unusable(where, f"{_short(first)} is not a date such as 2026-11-24") from None
    if len(rates) < len(currencies) or any(rates[len(currencies) :]):
        raise _unusable(
            where, f"it has {len(rates)} values, and the first line {len(currencies)} currencies"
        )
    return day, [
        _rate(where, currency, text) for currency, text in zip(currencies, rates, strict=False)
    ]


def _rate(where: str, currency: str, text: str) -> str:
    if text in _NO_RATE:
        return ""
    if not _RATE.fullmatch(text) or not text.strip("0."):
        raise _unusable(
            where,
            f"{_short(text)} is no rate of {currency}: give a number above 0, with at most 9 digits"
            " before the point and 8 after it",
        )
    return text


def _short(text: str) -> str:
    return repr(text[:_MOST_CHARS])


def _unusable(where: Path | str, reason: str) -> Misconfigured:
    return Misconfigured(f"store.exchange_rates: {where}: {reason}")
