"""Text is kept within bounds, and without what no column can hold and what steers a display."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.ingest.text import clean

# Unicode's bidirectional classes of characters that do nothing but steer the order of others.
STEERS_ORDER = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"\u061c", "\u200e", "\u200f"}


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 50))
def test_what_is_left_can_be_stored_and_shown(text: str, limit: int) -> None:
    kept = clean(text, limit)
    kept.encode()
    assert len(kept) <= limit
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in kept)
    assert not any(unicodedata.bidirectional(c) in STEERS_ORDER or c in MARKS for c in kept)
    assert clean(kept, limit) == kept


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=50))
def test_all_other_text_is_as_it_was(text: str) -> None:
    assert clean(text, 50) == text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("\x9b31mred\x9d0;title\x07", "31mred0;title"),  # C1 begins a terminal's commands
        ("pay\u202egpj.exe", "paygpj.exe"),
        ("\u2066isolated\u2069 \u200fmark\u061c", "isolated mark"),
        ("two\u2028lines\u2029", "twolines"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian is written with a non-joiner
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_what_steers_a_display_goes_and_what_letters_need_stays(sent: str, kept: str) -> None:
    assert clean(sent, 100) == kept
