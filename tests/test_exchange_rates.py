"""The operator's file of exchange rates: read within bounds, and again when it changes."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pytest

from analytics import localtime
from analytics.api import named_filters
from analytics.catalog import goals
from analytics.errors import Misconfigured
from analytics.exchange_rates import RatesFile, read
from analytics.goal import Goal
from analytics.query import (
    Compare,
    CurrencyRates,
    DailyRates,
    Dimension,
    Figure,
    Metric,
    Op,
    Period,
    Query,
)
from analytics.resources import Resources
from analytics.settings import Settings
from analytics.startup import open_resources
from analytics.testing.builders import NOON, SITE, hit

TODAY = localtime.day_number(date(2026, 11, 24))
ECB = """Date,USD,JPY,RUB,
2026-11-24,1.25,163.12,N/A,
2026-11-20,1.2,160,N/A,
2022-03-01,1.1162,128.58,117.201,
"""
"""As the European Central Bank writes it, the newest day first and a comma at the end."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "eurofxref-hist.csv"
    file.write_text(ECB)
    return file


def test_the_banks_file_is_read_as_it_is(path: Path) -> None:
    rates = read(path, "EUR")
    assert (rates.currencies, rates.last_day) == (4, date(2026, 11, 24))
    assert rates.between(TODAY - 2, TODAY) == DailyRates(
        (TODAY - 4, TODAY),
        (
            CurrencyRates("USD", ("1.2", "1.25")),
            CurrencyRates("JPY", ("160", "163.12")),
            CurrencyRates("EUR", ("1", "1")),
        ),
    )


def test_equal_files_have_the_same_fingerprint_and_others_have_not(path: Path) -> None:
    fingerprint = read(path, "EUR").fingerprint
    assert read(path, "EUR").fingerprint == fingerprint
    assert read(path, "USD").fingerprint != fingerprint
    path.write_text(ECB.replace("1.25", "1.26"))
    assert read(path, "EUR").fingerprint != fingerprint


def test_days_after_the_last_rate_have_it_for_a_week(path: Path) -> None:
    rates = read(path, "EUR")
    assert rates.between(TODAY + 7, TODAY + 9).days == (TODAY,)
    assert rates.between(TODAY + 8, TODAY + 9).days == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ":1: it must name currencies"),
        ("Date\n2026-11-24\n", ":1: it must name currencies"),
        ("Day,USD\n", ":1: it must name currencies"),
        ("Date,USD\n", "it has no day"),
        ("Date,US\n2026-11-24,1\n", ":1: 'US' is not the code"),
        ("Date,USD,USD\n2026-11-24,1,1\n", ":1: it names a currency twice"),
        ("Date,USD\n24.11.2026,1\n", ":2: '24.11.2026' is not a date"),
        ("Date,USD\n2026-11-24,1\n2026-11-24,2\n", ":3: 2026-11-24 is there twice"),
        ("Date,USD\n2026-11-24,1\n\n2026-11-25,1;2\n", ":4: '1;2' is no rate of USD"),
        ("Date,USD\n2026-11-24,0.000\n", ":2: '0.000' is no rate of USD"),
        ("Date,USD\n2026-11-24,-1\n", ":2: '-1' is no rate of USD"),
        ("Date,USD\n2026-11-24,1e3\n", ":2: '1e3' is no rate of USD"),
        ("Date,USD\n2026-11-24,٣\n", ":2: '٣' is no rate of USD"),
        ("Date,USD\n2026-11-24,1.123456789\n", ":2: '1.123456789' is no rate"),
        ("Date,USD,JPY\n2026-11-24,1\n", ":2: it has 1 values"),
        ("Date,USD\n2026-11-24,1,2\n", ":2: it has 2 values"),
        (f"Date,USD\n2026-11-24,{'9' * 200_000}\n", ":2: "),
        ("Date,USD\n" + "\n" * (4 << 20), "it is larger than"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        read(file, "EUR")
    assert str(caught.value).startswith(f"store.exchange_rates: {file}")
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        read(tmp_path / "none.csv", "EUR")
    zipped = tmp_path / "rates.zip"
    zipped.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(Misconfigured, match="cannot be read"):
        read(zipped, "EUR")
    with pytest.raises(Misconfigured, match="exchange_base"):
        (tmp_path / "rates.csv").write_text(ECB)
        read(tmp_path / "rates.csv", "ABC")


def test_it_is_read_again_when_it_changes_and_kept_while_it_is_broken(path: Path) -> None:
    now = 0.0
    file = RatesFile(path, "EUR", clock=lambda: now)
    assert file.current().last_day == date(2026, 11, 24)
    for text, last in (
        ("Date,USD\n2026-11-25,1.3\n", date(2026, 11, 25)),
        ("Date,USD\n2026-1", date(2026, 11, 25)),
        (None, date(2026, 11, 25)),
        ("Date,USD\n2026-11-26,1.3\n", date(2026, 11, 26)),
    ):
        if text is None:
            path.unlink()
        else:
            other = path.with_suffix(".new")
            other.write_text(text)
            other.replace(path)
        now += 20
        assert file.current().last_day == last


async def total(parts: Resources, *filters: Compare) -> Figure:
    """The revenue of the goal, or of everything, on the day of `NOON`."""
    period = Period((TODAY - 1) * 86_400_000, (TODAY + 1) * 86_400_000, "Etc/UTC")
    asked = Query(site=SITE, metrics=(Metric.TOTAL_REVENUE,), period=period, filters=tuple(filters))
    site = parts.catalog.sites.get(SITE)
    assert site is not None
    await parts.settle()
    return (await parts.store.query(named_filters.resolve(asked, site))).rows[0].metrics[0]


async def test_a_goal_has_its_revenue_in_its_own_currency_and_follows_the_file(
    tmp_path: Path, path: Path
) -> None:
    settings = Settings.model_validate(
        {"data": tmp_path / "data", "store": {"exchange_rates": path}}
    )
    bought = Compare(Op.IS, Dimension.GOAL, ("Purchase",))
    async with open_resources(settings) as parts:
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        await goals.add_goal(
            parts.catalog, SITE, Goal(id=0, name="Purchase", event="buy", currency="EUR")
        )
        await parts.log.append(
            [
                hit(NOON, name="buy", revenue="10", currency="USD"),
                hit(NOON, name="buy", revenue="1", currency="EUR"),
                hit(NOON - 86_400_000, name="buy", revenue="12", currency="USD"),
            ]
        )
        assert await total(parts, bought) == "19.000 EUR"
        assert await total(parts) is None, "without a goal nobody has named a currency"


async def test_without_a_file_amounts_in_several_currencies_have_no_sum(tmp_path: Path) -> None:
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        await goals.add_goal(
            parts.catalog, SITE, Goal(id=0, name="Purchase", event="buy", currency="EUR")
        )
        bought = Compare(Op.IS, Dimension.GOAL, ("Purchase",))
        await parts.log.append([hit(NOON, name="buy", revenue="10", currency="USD")])
        assert await total(parts, bought) == "10.000 USD"
        await parts.log.append([hit(NOON, name="buy", revenue="1", currency="EUR")])
        assert await total(parts, bought) is None
        euros = Compare(Op.IS, Dimension.CURRENCY, ("EUR",))
        assert await total(parts, bought, euros) == "1.000 EUR"


def test_the_archive_as_downloaded_is_told_from_the_file_in_it(tmp_path: Path) -> None:
    file = tmp_path / "eurofxref-hist.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("eurofxref-hist.csv", "Date,USD\n2026-11-24,1.0876\n" * 50)
    with pytest.raises(Misconfigured, match="ZIP archive: unpack it, and name the CSV file"):
        read(file, "EUR")
    with pytest.raises(Misconfigured, match=r"missing\.csv: it cannot be read: No such file"):
        read(tmp_path / "missing.csv", "EUR")
