"""A server says an address at which others reach it."""

from __future__ import annotations

import pytest

from analytics.errors import Misconfigured
from analytics.registry.advertised import address
from analytics.settings import Settings


def settings(backend: str, **more: object) -> Settings:
    return Settings.model_validate({"registry": {"backend": backend}, **more})


@pytest.mark.parametrize(
    ("listening", "said"),
    [
        (("127.0.0.1", 8000), "127.0.0.1:8000"),
        (("2001:db8::1", 8000), "[2001:db8::1]:8000"),
    ],
)
def test_it_is_where_the_server_listens(listening: tuple[str, int], said: str) -> None:
    assert address(settings("ignite"), listening) == said


def test_who_listens_everywhere_says_the_address_towards_the_registry() -> None:
    ignite = {"addresses": ["127.0.0.1:10800"]}
    eureka = {"urls": ["http://127.0.0.1:8761/eureka"]}
    everywhere = ("0.0.0.0", 8000)
    assert address(settings("ignite", ignite=ignite), everywhere) == "127.0.0.1:8000"
    assert address(settings("eureka", eureka=eureka), everywhere) == "127.0.0.1:8000"
    assert address(settings("none"), everywhere) == "0.0.0.0:8000"


def test_what_is_set_wins() -> None:
    chosen = Settings.model_validate(
        {"registry": {"backend": "ignite", "address": "replica-1.internal:80"}}
    )
    assert address(chosen, ("0.0.0.0", 8000)) == "replica-1.internal:80"


def test_without_a_way_to_the_registry_it_must_be_set() -> None:
    ignite = {"addresses": ["nowhere.invalid:10800"]}
    with pytest.raises(Misconfigured, match=r"set registry\.address"):
        address(settings("ignite", ignite=ignite), ("0.0.0.0", 8000))
