"""Every bound on what comes from outside, in one place.

What is larger is refused, or cut where that loses nothing that we keep, before any work is done
for it. Bounds that an operator may want to change are settings (docs/settings.md) with these
values; docs/http-api.md has the table for those who send and ask.
"""

from __future__ import annotations

from typing import Final

# ---- one question

COMPARISONS: Final = 50
"""Filters of one question that compare a dimension."""
HAS_DONE: Final = 5
"""`has_done` and `has_not_done` of one question; each looks at all visits of the period."""
SEARCHES: Final = 100
"""Values that one question's `contains` and `matches` search for."""
SEARCH_CHARS: Final = 8_000
"""Characters of all those values together."""
VALUES: Final = 1_000
"""Values of all filters of one question."""
ORDERS: Final = 10
"""Terms by which one question sorts."""
DIMENSIONS: Final = 5
"""Dimensions by which one question splits."""
FILTERS_V1_CHARS: Final = 4_096
"""Length of `filters` in version 1 of the Stats API."""
QUESTION_BYTES: Final = 256 * 1024
"""Body of a question, as JSON."""
