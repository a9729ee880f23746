"""A request keeps the id that it came with, if that can stand in a log; else it gets one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from analytics import request_id


def request(*values: bytes) -> Scope:
    return {"headers": [(b"host", b"x"), *((request_id.HEADER, value) for value in values)]}


def test_an_id_is_the_same_however_often_it_is_asked_for() -> None:
    one, other = request(), request()
    assert request_id.of(one) == request_id.of(one)
    assert request_id.of(one) != request_id.of(other)
    assert request_id.of(request(b"7F000001:C3A2_1-x")) == b"7F000001:C3A2_1-x"


@given(st.binary(max_size=200))
def test_whatever_is_sent_an_id_is_short_and_harmless(value: bytes) -> None:
    found = request_id.of(request(value)).decode("ascii")
    assert 1 <= len(found) <= 128
    assert found.isprintable()
    assert not set(found) & set(" \"'<>{}\\;,")
