"""What is known of chunks is forgotten with them, and has a bound."""

from __future__ import annotations

from analytics.job.query.known_chunks import KnownChunks
from analytics.job.query.task import ChunkFacts, TimeReach

REACH = TimeReach(1, 2)


def known(*sites: str) -> ChunkFacts:
    return ChunkFacts(begins=False, sites=dict.fromkeys(sites, REACH))


def test_chunks_that_are_gone_are_forgotten() -> None:
    chunks = KnownChunks()
    chunks.keep(0, ["a", "b"])
    chunks.keep(1, ["c"])
    chunks.learn(0, {"a": known("x"), "b": known("y")})
    chunks.learn(1, {"c": known()})
    chunks.keep(0, ["b", "ab"])
    assert {*chunks} == {"b", "c"}
    chunks.learn(0, {"a": known("x")})  # it was read while it was being merged
    assert {*chunks} == {"b", "c"}


def test_however_many_chunks_there_are_what_is_known_has_a_bound() -> None:
    chunks = KnownChunks(most_reaches=30)
    ids = [f"{number:03}" for number in range(100)]
    chunks.keep(0, ids)
    for chunk_id in ids:
        chunks.learn(0, {chunk_id: known("x", "y")})
        assert "000" in chunks, "what is looked up stays"
    assert {*chunks} == {"000", *ids[-9:]}


def test_what_is_learnt_again_counts_once() -> None:
    chunks = KnownChunks(most_reaches=4)
    chunks.keep(0, ["a"])
    for _ in range(10):
        chunks.learn(0, {"a": known("x", "y")})
    assert chunks["a"] == known("x", "y")
