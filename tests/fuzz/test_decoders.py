"""No input makes a decoder end in anything but an answer or one of the program's own errors."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, Target

pytestmark = pytest.mark.fuzz
EACH = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@EACH
def test_what_the_others_are_bent_from_is_understood(target: Target) -> None:
    if target.name in ("backup", "cookies", "headers", "forwarded"):
        target.refuses_or_understands(target.corpus[0])
    else:
        target.decode(target.corpus[0])


@EACH
@settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_bytes_are_understood_or_refused(target: Target, data: st.DataObject) -> None:
    anything = data.draw(
        st.one_of(
            st.binary(max_size=200),
            st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
            st.randoms(use_true_random=False).map(lambda random: mutated(random, target.corpus)),
        )
    )
    target.refuses_or_understands(anything)


@EACH
def test_bent_inputs_are_understood_or_refused(target: Target, inputs: int) -> None:
    random = Random(target.name)
    for number in range(inputs):
        data = mutated(random, target.corpus)
        try:
            target.refuses_or_understands(data)
        except Exception as fault:
            fault.add_note(f"input {number} of {target.name}: {data!r}")
            raise
