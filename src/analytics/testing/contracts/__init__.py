"""Test suites that every implementation of an interface inherits.

They need pytest-asyncio in its mode `auto`. Their failed assertions show the values compared, as
those of a test module do.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("catalog", "event_log", "registry", "series_store"))
)
