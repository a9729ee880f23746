"""Filters survive the address bar, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.dashboard import filters
from analytics.dashboard.filters import Condition
from analytics.errors import Malformed
from analytics.query import Compare, Op


def test_several_values_of_one_operator_and_name_mean_any_of_them() -> None:
    found = filters.parse(
        ["is,source,Google", "is,page,/a,b", "is,source,Bing", "is,source,Google"]
    )
    assert found == (
        Condition(Op.IS, "source", ("Google", "Bing")),
        Condition(Op.IS, "page", ("/a,b",)),
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(filters.OPERATORS)),
            st.sampled_from(
                [*filters.DIMENSIONS, "props:plan", "props:a,b", "props:100%", "props:%2C,%25"]
            ),
            st.text(max_size=60),
        ),
        max_size=filters.MAX_FILTERS,
    )
)
def test_what_is_parsed_and_written_again_is_the_same(given: list[tuple[Op, str, str]]) -> None:
    found = filters.parse([filters.text(op, name, value) for op, name, value in given])
    assert {(each.op, each.name) for each in found} == {(op, name) for op, name, _ in given}
    assert filters.parse(filters.texts(found)) == found


def test_a_condition_compiles_to_its_dimension() -> None:
    conditions = filters.parse(["contains,page,Docs", "is,event,signup", "is_not,props:plan,free"])
    assert filters.compile_filters(conditions) == (
        Compare(Op.CONTAINS, "event:page", ("Docs",), case_sensitive=False),
        Compare(Op.IS, "event:name", ("signup",)),
        Compare(Op.IS_NOT, "event:props:plan", ("free",)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "is,page",
        "like,page,/",
        "matches,page,(",
        "is,time:day,1",
        "is,nothing,1",
        "is,props:,1",
    ],
)
def test_nonsense_is_refused_and_named(text: str) -> None:
    with pytest.raises(Malformed) as raised:
        filters.parse([text])
    assert raised.value.field == "f"


def test_a_crowd_of_filters_or_a_huge_value_is_refused() -> None:
    with pytest.raises(Malformed):
        filters.parse([f"is,page,/{n}" for n in range(filters.MAX_FILTERS + 1)])
    with pytest.raises(Malformed):
        filters.parse(["is,page," + "x" * (filters.MAX_VALUE_CHARS + 1)])


def test_every_dimension_has_a_name_for_people() -> None:
    assert set(filters.LABELS) == set(filters.DIMENSIONS)
