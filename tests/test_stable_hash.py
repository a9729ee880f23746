"""The hash under visitor ids, sessions and shards, whose values are stored."""

from __future__ import annotations

from analytics.stable_hash import hash64


def test_the_hash_never_changes_with_the_program() -> None:
    # Stored rows and the partitions of logs follow from it.
    assert hash64("example.com") == 16_673_839_061_471_362_061
    assert hash64("example.com", "ada", key=b"salt") == 6_036_416_191_502_660_999


def test_where_one_part_ends_and_the_next_begins_counts() -> None:
    assert len({hash64("ab"), hash64("a", "b"), hash64("", "ab"), hash64("ab", "")}) == 4


def test_text_hashes_as_its_bytes_even_with_half_a_surrogate_pair() -> None:
    assert hash64("é") == hash64("é".encode())
    assert hash64("\ud800") == hash64(b"\xed\xa0\x80")
