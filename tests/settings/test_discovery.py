"""Settings of discovery that make no sense are named where they were given."""

from __future__ import annotations

import pytest

from analytics.errors import Misconfigured
from analytics.settings import load


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("REGISTRY__HEARTBEAT_S", "8", r"half of registry\.lease_s \(15\) at most"),
        ("REGISTRY__LEASE_S", "5", r"half of registry\.lease_s \(5\) at most"),
        ("REGISTRY__ADDRESS", "10.0.0.1", "host:port"),
        ("REGISTRY__ADDRESS", "10.0.0.1:99999", "host:port"),
        ("EUREKA__URLS", "eureka:8761", "http://host:8761/eureka"),
    ],
)
def test_what_makes_no_sense_is_refused(variable: str, value: str, hint: str) -> None:
    with pytest.raises(Misconfigured, match=hint):
        load(None, {}, environment={f"ANALYTICS_{variable}": value})


def test_addresses_of_eureka_are_kept_without_a_slash_at_their_end() -> None:
    given = {"ANALYTICS_EUREKA__URLS": "http://one:8761/eureka/, https://two/eureka"}
    assert load(None, {}, environment=given).eureka.urls == (
        "http://one:8761/eureka",
        "https://two/eureka",
    )
