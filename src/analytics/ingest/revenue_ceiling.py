"""The largest revenue that one event may report before it is taken for made up."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_USUAL: Final = 1_000_000
"""In units of currencies such as the euro and the dollar."""
_HUNDREDS: Final = (
    "AFN ALL AMD ARS BDT CRC CVE DJF DOP DZD ETB GMD HTG HUF INR ISK JMD JPY KES KGS LKR LRD LSL"
    " MKD MRU MUR MZN NPR PHP PKR RSD RUB SCR SRD THB TRY UYU VUV XPF YER"
)
_THOUSANDS: Final = (
    "AOA BIF CDF CLP COP IQD KHR KMF KPW KRW KZT MGA MMK MNT MWK NGN PYG RWF SDG SOS SSP TZS UGX"
    " XAF XOF"
)
_UNITS: Final = {
    **dict.fromkeys(_HUNDREDS.split(), 100),
    **dict.fromkeys(_THOUSANDS.split(), 1_000),
    **dict.fromkeys(["GNF", "IDR", "LAK", "SLL", "STD", "UZS", "VND", "ZWL"], 10_000),
    **dict.fromkeys(["LBP", "SYP", "VES"], 100_000),
    "IRR": 1_000_000,
}
"""How many units of a currency are about one of the usual ones: the order of magnitude only."""


def is_above(amount: str, currency: str, ceiling: int | None) -> bool:
    """Return whether *amount*, or a refund of it, is above *ceiling* units of its currency.

    Without a ceiling of the site's own it is about a million euros, whatever the currency.
    """
    most = _USUAL * _UNITS.get(currency, 1) if ceiling is None else ceiling
    return abs(Decimal(amount)) > most
