"""Formats amounts of money with as many decimals as the currency has, rounded half up."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Final

_USUAL: Final = 2
# ISO 4217, list one, as published on 1 January 2026: the currencies whose minor unit is not a
# hundredth. Babel goes by what people use instead, and differs for 15 others (COP, HUF, IDR …).
_DECIMALS: Final[dict[str, int]] = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
         "VUV", "XAF", "XOF", "XPF"),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip


@cache
def _codes() -> frozenset[str]:
    from babel import Locale  # here, because only events with revenue need its data

    return frozenset(Locale.parse("en").currencies)


def is_code(text: str) -> bool:
    """Return whether *text* is the code of a currency that ISO 4217 knows, or knew once."""
    return text in _codes()


def decimals(currency: str) -> int:
    """Return how many decimals amounts of *currency*, an ISO 4217 code, have."""
    return _DECIMALS.get(currency, _USUAL)


def rounded(amount: Decimal, places: int) -> str:
    """Return *amount* with that many decimals, half up, and its thousands apart."""
    return f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,f}"
