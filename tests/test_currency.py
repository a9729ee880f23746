"""Money has the decimals of its currency, and halves go up."""

from __future__ import annotations

import pytest

from analytics.api import figures
from analytics.query import Metric


@pytest.mark.parametrize(
    ("figure", "short", "long"),
    [
        ("12.500 EUR", "EUR 13", "EUR 12.50"),
        ("0.015 EUR", "EUR 0", "EUR 0.02"),
        ("0.025 EUR", "EUR 0", "EUR 0.03"),
        ("1.005 USD", "USD 1", "USD 1.01"),
        ("1234.500 JPY", "JPY 1,235", "JPY 1,235"),
        ("1234567.125 KWD", "KWD 1,234,567", "KWD 1,234,567.125"),
        ("12.345 IQD", "IQD 12", "IQD 12.345"),
        ("12.345 HUF", "HUF 12", "HUF 12.35"),
        ("1.500 CLF", "CLF 2", "CLF 1.5000"),
        ("2.500 BGN", "BGN 3", "BGN 2.50"),
        ("99999999999999.995 USD", "USD 100,000,000,000,000", "USD 100,000,000,000,000.00"),
        ("-3.000 USD", "USD -3", "USD -3.00"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(figure: str, short: str, long: str) -> None:
    amount, _, currency = figure.partition(" ")
    for metric in (Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE):
        assert figures.json_of(metric, figure) == {
            "value": float(amount),
            "currency": currency,
            "short": short,
            "long": long,
        }


def test_what_is_not_money_stays_as_it_is() -> None:
    assert figures.json_of(Metric.VISITORS, 3) == 3
    assert figures.json_of(Metric.TOTAL_REVENUE, None) is None
