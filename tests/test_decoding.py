"""What could not be decoded is refused in words for whoever sent it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec
import pytest

from analytics import decoding
from analytics.errors import UNDECODABLE


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    tags: list[str] = []


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Choosing(msgspec.Struct, forbid_unknown_fields=True):
    colour: Colour = Colour.RED
    order: Literal["loose", "strict"] | None = None
    inner: Inner | None = None
    several: tuple[Colour, ...] = ()


class Outer(msgspec.Struct):
    name: str | None = None
    loud: bool | str | None = None
    depth: float | str | None = None
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b'{"name": 5}', "name: must be text, not a number"),
        (b'{"name": 5.5}', "name: must be text, not a number"),
        (b'{"name": true}', "name: must be text, not true or false"),
        (b'{"name": ["x"]}', "name: must be text, not a list"),
        (b'{"loud": 1}', "loud: must be text, or true or false, not a number"),
        (b'{"depth": {}}', "depth: must be a number or text, not an object"),
        (b'{"inner": {"size": 1.5}}', "inner.size: must be a whole number, not a number"),
        (b'{"inner": {"size": null}}', "inner.size: must be a whole number, not null"),
        (b'{"inner": {"size": 1, "tags": ["a", 1]}}', "inner.tags[1]: must be text, not a number"),
        (b'{"inner": {}}', "inner.size: it is missing"),
        (b'{"inner": {"size": 1, "x": 2}}', "inner.x: it is not known here"),
        (b"[]", "the body must be an object, not a list"),
        (b'"x"', "the body must be an object, not text"),
        (b"null", "the body must be an object, not null"),
        (b"", "the body is not JSON, or was cut off: it ends too early"),
        (b'{"name": "x"', "the body is not JSON, or was cut off: it ends too early"),
        (b'{"name": "x"} {}', "the body goes on after its end, at byte 15"),
        (b"{'name': 1}", "the body is not JSON: object keys must be strings at byte 1"),
        (b"<html>", "the body is not JSON: invalid character at byte 0"),
        (b'{"name": "\xff"}', "the body is not UTF-8 text"),
        (b'{"x": ' * 100_000, "the body is nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(body: bytes, refusal: str) -> None:
    with pytest.raises(UNDECODABLE) as failure:
        msgspec.json.decode(body, type=Outer)
    fault = decoding.malformed(failure.value)
    assert str(fault) == refusal
    assert "`" not in str(fault)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (
            b'{"colour": "gren"}',
            "colour: there is no colour 'gren'; did you mean green? choose from red, green",
        ),
        (b'{"order": "x"}', "order: there is no order 'x'; choose from loose, strict"),
        (
            b'{"several": ["red", "x"]}',
            "several[1]: there is no several 'x'; choose from red, green",
        ),
        (
            b'{"inner": {"sice": 1}}',
            "inner.sice: it is not known here; did you mean size? choose from size, tags",
        ),
        (
            b'{"foo": 1}',
            "foo: it is not known here; choose from colour, order, inner, several",
        ),
    ],
)
def test_a_choice_that_is_not_one_lists_those_that_are(body: bytes, refusal: str) -> None:
    with pytest.raises(UNDECODABLE) as failure:
        msgspec.json.decode(body, type=Choosing)
    assert str(decoding.malformed(failure.value, model=Choosing)) == refusal


@pytest.mark.parametrize("rest", ["", "x", "\\n", "\\ud83d"])
@pytest.mark.parametrize("half", ["\\ud83d", "\\uDC00"])
def test_half_of_a_surrogate_pair_is_called_that(half: str, rest: str) -> None:
    body = f'{{"name": "\\\\{half}{rest}"}}'.encode()
    with pytest.raises(UNDECODABLE) as failure:
        msgspec.json.decode(body, type=Outer)
    assert "half of a surrogate pair at byte 12" in str(
        decoding.malformed(failure.value, body=body)
    )
