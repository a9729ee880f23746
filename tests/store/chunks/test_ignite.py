"""Ignite's part of the store, on a real node with Cassandra behind it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from tests.real import PATIENCE_S

from analytics.catalog.base import Catalog
from analytics.catalog.shared import SharedCatalog
from analytics.errors import StoreUnavailable
from analytics.event import Erasure
from analytics.localcluster.launcher import LocalCluster
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.settings import IgniteSettings, Settings
from analytics.store.chunks import codec
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.chunk import Chunk, RecordSpan
from analytics.store.chunks.chunk_erasure import rewritten
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.chunks.tiered import TieredChunks
from analytics.store.ignite.documents import SharedDocument
from analytics.store.ignite.driver import Driver
from analytics.testing.builders import NOON, hit
from analytics.testing.contracts.catalog import CatalogContract, HandClock

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

_numbers = count(100)


def made(partition: int, first: int, last: int) -> Chunk:
    ledger = {LedgerKey("a.example", 3_600_000): LedgerLine(last - first + 1, 0, 0, {"x": 1}, 0)}
    (one,) = codec.pack(partition, [RecordSpan(first, last, ledger)], (), ())
    return one


@pytest.fixture
def chunks(ignite: Settings) -> Iterator[IgniteChunks]:
    store = IgniteChunks(ignite.ignite)
    yield store
    store.close()


@pytest.fixture
def partition() -> int:
    """A partition that no other test uses."""
    return next(_numbers)


def test_chunks_come_back_in_order_once_however_often_they_are_written(
    chunks: IgniteChunks, partition: int
) -> None:
    given = [made(partition, 0, 4), made(partition, 5, 9), made(partition, 10, 19)]
    chunks.put(given[1:])
    chunks.put(given)
    assert chunks.following(partition, 0, 10) == given
    assert chunks.following(partition, 5, 1) == given[1:2]
    assert [head.chunk_id for head in chunks.heads(partition)] == [e.chunk_id for e in given]
    assert partition in chunks.partitions()
    holding = chunks.holding(partition, 7)
    assert (holding, chunks.holding(partition, 5)) == (given[1], None)
    assert chunks.read([each.chunk_id for each in reversed(given)]) == given
    assert chunks.rows([given[0].chunk_id, "none"]) == {given[0].chunk_id: 0}
    assert len(chunks.nodes()) == 1


def test_where_entries_lie_is_asked_once_for_many_calls(
    chunks: IgniteChunks, partition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    ask = Driver._get_affinity

    def counting(driver: Driver, *arguments: object) -> object:
        asked.append(driver)
        return ask(driver, *arguments)

    monkeypatch.setattr(Driver, "_get_affinity", counting)
    given = [made(partition, first, first) for first in range(10)]
    chunks.add(given)
    chunks.put(given)
    assert chunks.recall([each.chunk_id for each in given]) == len(given)
    assert len(asked) == 1


@pytest.fixture
def hung(machine: LocalCluster, chunks: IgniteChunks) -> Iterator[Callable[[], None]]:
    """Has the node hang: its kernel takes connections, and nobody answers them."""
    node = machine.processes.find("ignite-1")
    assert node is not None
    try:
        yield lambda: os.kill(node.pid, signal.SIGSTOP)
    finally:
        os.kill(node.pid, signal.SIGCONT)


def test_no_call_takes_longer_than_it_may_while_a_node_hangs(
    ignite: Settings, hung: Callable[[], None]
) -> None:
    """Were each step bounded alone, a call would take several times as long: a connection, what
    is said when it begins, the question, and another connection."""
    settings = ignite.ignite.model_copy(update={"timeout_s": 3.0, "retry_after_s": 0.01})
    used, unused = IgniteChunks(settings), IgniteChunks(settings)
    used.partitions()
    hung()
    for store in (used, used, unused, unused):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Ignite does not answer"):
            store.partitions()
        took = time.monotonic() - began
        assert took < 2 * settings.timeout_s, "a bound, and no measurement"
        store.close()


def test_who_is_behind_a_node_that_hangs_is_asked_in_the_same_call(ignite: Settings) -> None:
    (address,) = ignite.ignite.addresses
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        hanging = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = ignite.ignite.model_copy(update={"addresses": (hanging, address)})
        store = IgniteChunks(settings)
        assert store.partitions() is not None
        store.close()


def test_what_left_ignites_memory_is_read_from_cassandra(
    chunks: IgniteChunks, ignite: Settings, partition: int
) -> None:
    given = [made(partition, 0, 4), made(partition, 5, 9), made(partition, 10, 19)]
    ids = [each.chunk_id for each in given]
    kept = CassandraChunks(ignite.cassandra)
    archive = TieredChunks(chunks, kept, cache_s=0)
    chunks.put(given)
    until = time.monotonic() + PATIENCE_S
    while kept.rows(ids).keys() != set(ids):
        assert time.monotonic() < until
    chunks.evict(ids[:2])
    assert chunks.rows(ids).keys() == {ids[2]}
    assert [head.chunk_id for head in chunks.heads(partition)] == ids[2:]
    # Cassandra has what Ignite has not: now, and after whatever was to be written behind.
    time.sleep(3)
    assert kept.rows(ids).keys() == set(ids)
    assert [head.chunk_id for head in archive.heads(partition)] == ids
    assert archive.holding(partition, 7) == given[1]
    chunks.evict(ids)
    assert partition in archive.partitions()
    assert archive.following(partition, 0, 2) == given[:2]
    assert archive.following(partition, 5, 10) == given[1:]
    assert archive.following(partition, 10, 10) == given[2:]
    assert archive.read([*reversed(ids), "none"]) == given
    assert chunks.rows(ids) == {}, "to read it does not fill the memory again"
    assert (chunks.recall([*ids, "none"]), chunks.rows(ids).keys()) == (3, set(ids))
    chunks.evict(ids)
    chunks.remove(ids)  # what is not in memory is removed all the same
    while kept.rows(ids):
        assert time.monotonic() < until
    archive.close()


def test_chunks_are_written_behind_to_cassandra_and_removed_there(
    chunks: IgniteChunks, ignite: Settings, partition: int
) -> None:
    given = [made(partition, 0, 4), made(partition, 5, 9)]
    ids = {each.chunk_id for each in given}
    kept = CassandraChunks(ignite.cassandra)
    try:
        chunks.put(given)
        until = time.monotonic() + PATIENCE_S
        while kept.rows(sorted(ids)).keys() != ids:
            assert time.monotonic() < until
        heads = kept.heads()[partition]
        assert heads == chunks.heads(partition)
        assert [(head.first_offset, head.last_offset) for head in heads] == [(0, 4), (5, 9)]
        chunks.remove([given[0].chunk_id])
        while kept.rows(sorted(ids)).keys() != {given[1].chunk_id}:
            assert time.monotonic() < until
        assert chunks.following(partition, 0, 9) == given[1:]
    finally:
        kept.close()


def test_a_rewritten_chunk_takes_the_place_of_what_it_was_and_keeps_it(
    chunks: IgniteChunks, ignite: Settings, partition: int
) -> None:
    """In Ignite and in Cassandra, though the old one is sent once more, or memory was lost."""
    state = PipelineState(Sources())
    hits = [hit(NOON + n, visitor=n) for n in range(4)]
    outcome = fold(list(enumerate(hits)), state, set())
    (old,) = codec.pack(partition, [RecordSpan(0, 3, outcome.ledger)], outcome.rows, ())
    new = rewritten(old, [Erasure(site=hits[0].site, until=NOON + 10, visitor=2, shard=0)])
    assert new is not None
    kept = CassandraChunks(ignite.cassandra)
    try:
        chunks.add([old])
        until = time.monotonic() + PATIENCE_S
        while kept.rows([old.chunk_id]) != {old.chunk_id: 4}:
            assert time.monotonic() < until
        chunks.put([new])
        chunks.add([old])
        assert chunks.rows([old.chunk_id]) == {old.chunk_id: 3}
        while kept.rows([old.chunk_id]) != {old.chunk_id: 3}:
            assert time.monotonic() < until
        chunks.evict([old.chunk_id])
        assert chunks.rows([old.chunk_id]) == {}
        assert kept.read([old.chunk_id]) == [new]
    finally:
        kept.close()


def test_who_does_not_know_the_newest_revision_replaces_nothing(ignite: Settings) -> None:
    one = SharedDocument(ignite.ignite, f"test-{next(_numbers)}")
    other = SharedDocument(ignite.ignite, one._name)
    try:
        assert (one.load(), other.load(), one.revision()) == (None, None, None)
        assert one.replace(1, b"one")
        assert not other.replace(1, b"other")
        assert other.load() == (1, b"one")
        assert other.replace(2, b"two")
        assert not one.replace(2, b"too late")
        assert one.load() == (2, b"two")
    finally:
        one.close()
        other.close()


def test_a_node_that_is_away_is_unavailable() -> None:
    store = IgniteChunks(IgniteSettings(addresses=("127.0.0.1:1",)))
    with pytest.raises(StoreUnavailable, match="Ignite does not answer"):
        store.partitions()


class TestSharedCatalogInIgnite(CatalogContract):
    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    async def catalog(
        self, ignite: Settings, tmp_path: Path, clock: HandClock
    ) -> AsyncIterator[Catalog]:
        document = SharedDocument(ignite.ignite, f"catalog-{next(_numbers)}")
        salts = SharedDocument(ignite.ignite, f"salts-{next(_numbers)}")
        async with SharedCatalog(
            document, tmp_path / "image", salts=salts, now_ms=clock
        ) as catalog:
            yield catalog
