#!/usr/bin/env bash
# Babel's decimals of a currency are not those of ISO 4217: 15 of 178 codes differ, no small ones among them.
#
# Versions: Babel 2.19.0, iso4217 1.16.20260101 (the list that the standard's agency publishes).
#
# `get_currency_precision("COP")` is 0, the standard says 2. CLDR has what people use in cash or on price
# tags, the standard what a bank transfers, and both are called the decimals of a currency. Who formats by
# Babel an amount that a shop sent in the standard's units shows 12.34 Colombian pesos as 12, and who turns
# minor units into an amount by it is wrong by a factor of 100 (of 1,000 for the Iraqi dinar):
#
#   AFN 2/0  ALL 2/0  COP 2/0  HUF 2/0  IDR 2/0  IQD 3/0  IRR 2/0  KPW 2/0  LAK 2/0  LBP 2/0  MGA 2/0
#   MMK 2/0  SOS 2/0  SYP 2/0  YER 2/0     (ISO 4217 / Babel)
#
# A code that the standard has withdrawn (BGN, which Bulgaria left for the euro in 2026; ANG) is in no
# package of the current list, while shops' past orders still bear it; Babel knows those.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check babel==2.19.0 iso4217==1.16.20260101
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from babel.numbers import get_currency_name, get_currency_precision
from iso4217 import Currency

EXPECTED = "AFN ALL COP HUF IDR IQD IRR KPW LAK LBP MGA MMK SOS SYP YER".split()
print("Babel", version("babel"), "iso4217", version("iso4217"))
standard = {each.code: each.exponent for each in Currency}
differ = {
    code: f"{decimals}/{get_currency_precision(code)}"
    for code, decimals in sorted(standard.items())
    if decimals is not None and get_currency_precision(code) != decimals
}
print(len(differ), "of", len(standard), "codes differ (ISO 4217/Babel):")
print(" ", "  ".join(f"{code} {pair}" for code, pair in differ.items()))
withdrawn = {code: get_currency_name(code, locale="en") for code in ("BGN", "ANG")}
print("withdrawn by the standard, known to Babel:", withdrawn)
assert [*differ] == EXPECTED, differ
assert differ["COP"] == "2/0" and differ["IQD"] == "3/0", differ
assert not {"BGN", "ANG"} & {*standard} and "BGN" not in withdrawn.values()
PYTHON
