"""The bytes of a segment, and what damage to them means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import Corrupt
from analytics.stream import segment

record_lists = st.lists(st.binary(max_size=40), min_size=1, max_size=5)


def packed(groups: list[list[bytes]]) -> tuple[bytes, list[int]]:
    data, ends = b"", []
    for group in groups:
        data += segment.pack(group)
        ends.append(len(data))
    return data, ends


@given(st.lists(record_lists, min_size=1, max_size=5))
def test_groups_come_back_as_they_were_packed(groups: list[list[bytes]]) -> None:
    data, _ = packed(groups)
    found = list(segment.groups(data, "s", start=0, first=7))
    assert [list(group.records) for group in found] == groups
    assert found[0].first == 7
    assert [group.first + len(group.records) for group in found[:-1]] == [
        group.first for group in found[1:]
    ]


@given(st.lists(record_lists, min_size=1, max_size=4), st.data())
def test_a_file_cut_anywhere_keeps_its_whole_groups(
    groups: list[list[bytes]], data: st.DataObject
) -> None:
    packed_bytes, ends = packed(groups)
    cut = data.draw(st.integers(0, len(packed_bytes)))
    found = list(segment.groups(packed_bytes[:cut], "s", start=0, first=0))
    assert len(found) == sum(end <= cut for end in ends)


@given(st.lists(record_lists, min_size=2, max_size=4), st.data())
def test_damage_is_reported_when_something_intact_lies_behind_it(
    groups: list[list[bytes]], data: st.DataObject
) -> None:
    packed_bytes, ends = packed(groups)
    at = data.draw(st.integers(0, ends[-2] - 1))
    damaged = bytearray(packed_bytes)
    damaged[at] ^= 0xFF
    with pytest.raises(Corrupt, match="damaged at byte"):
        list(segment.groups(bytes(damaged), "s", start=0, first=0))


@given(record_lists, st.data())
def test_damage_to_the_last_group_is_a_torn_tail(group: list[bytes], data: st.DataObject) -> None:
    whole = segment.pack([b"first"])
    tail = bytearray(segment.pack(group))
    tail[data.draw(st.integers(0, len(tail) - 1))] ^= 0xFF
    found = list(segment.groups(whole + bytes(tail), "s", start=0, first=0))
    assert [list(each.records) for each in found] == [[b"first"]]


def test_zeros_behind_the_groups_are_no_damage() -> None:
    data = segment.pack([b"a", b"b"]) + bytes(4096)
    assert len(list(segment.groups(data, "s", start=0, first=0))) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "shorter"), (b"x" * 16, "no"), (b"anaJ\x09\0\0\0" + bytes(8), "newer version")],
)
def test_a_file_that_is_no_segment_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Corrupt, match=said):
        segment.base_of(data, "0.seg")
