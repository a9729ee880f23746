"""The HTTP side of `POST /api/sql`."""

from __future__ import annotations

import pytest

from analytics.api.sql import _accepted
from analytics.store.sql_question import SqlFormat


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", SqlFormat.JSON),
        ("*/*", SqlFormat.JSON),
        ("text/html", SqlFormat.JSON),
        ("image/png;q=0.5", SqlFormat.JSON),
        ("text/html, text/csv;q=0.5", SqlFormat.CSV),
        ("application/vnd.apache.parquet", SqlFormat.PARQUET),
    ],
)
def test_json_answers_what_asks_for_no_other_format(header: str, kind: SqlFormat) -> None:
    assert _accepted(header) is kind
