"""Text is kept within bounds, and without what no column can hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.ingest.text import clean


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 50))
def test_what_is_left_can_be_stored(text: str, limit: int) -> None:
    kept = clean(text, limit)
    kept.encode()
    assert len(kept) <= limit
    assert not any(ord(c) < 32 or c == "\x7f" for c in kept)
    assert clean(kept, limit) == kept


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=50))
def test_all_other_text_is_as_it_was(text: str) -> None:
    assert clean(text, 50) == text
