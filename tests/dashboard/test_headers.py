"""A form that another site's page sends is refused."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from analytics.dashboard.headers import check_same_origin
from analytics.errors import Forbidden


def _post(**headers: str) -> Request:
    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"origin": "https://stats.example", "host": "stats.example"},
        {"origin": "http://stats.example:8000", "host": "stats.example:8000"},
        {"host": "stats.example"},
    ],
)
def test_our_own_pages_and_programs_may_post(headers: dict[str, str]) -> None:
    check_same_origin(_post(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {
            "sec_fetch_site": "cross-site",
            "origin": "https://stats.example",
            "host": "stats.example",
        },
        {"origin": "https://evil.example", "host": "stats.example"},
        {"origin": "null", "host": "stats.example"},
        {"origin": "https://stats.example:444", "host": "stats.example"},
    ],
)
def test_pages_of_others_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        check_same_origin(_post(**headers))
