"""Whose the memories are: one job's, in one folder that all of its executors see."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.errors import Misconfigured, StoreUnavailable
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.run import _state_directory
from analytics.settings import Settings
from analytics.settings.spark import SparkSettings


@pytest.mark.parametrize("shared", [False, True])
def test_two_that_take_turns_on_a_memory_see_what_the_other_did(
    tmp_path: Path, shared: bool
) -> None:
    memories = StateDirectory(tmp_path, shared=shared).taken()
    with memories.open(3) as one, memories.open(3) as other:
        with one.transaction():
            one.advance(7)
        assert other.next_offset == 7
        with other.transaction():
            other.advance(9)
        assert one.next_offset == 9
    assert [*memories.partitions()] == [3]


def test_shared_memories_keep_nothing_beside_the_file_that_one_machine_alone_has(
    tmp_path: Path,
) -> None:
    with StateDirectory(tmp_path, shared=True).open(0) as memory, memory.transaction():
        memory.advance(1)
        assert not [each.name for each in tmp_path.iterdir() if each.name.endswith("-shm")]


def test_a_memory_that_was_one_machines_becomes_shared(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).open(0) as memory, memory.transaction():
        memory.advance(5)
    with StateDirectory(tmp_path, shared=True).open(0) as memory:
        assert memory.next_offset == 5
        assert [each.name for each in tmp_path.iterdir()] == ["partition-00000.sqlite"]


def test_who_waits_for_another_machine_too_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.job.partition.state_store._BUSY_S", 0.1)
    memories = StateDirectory(tmp_path, shared=True)
    with memories.open(0) as one, memories.open(0) as other, one.transaction():
        one.advance(1)
        with (
            pytest.raises(StoreUnavailable, match="state file cannot be used"),
            other.transaction(),
        ):
            pass


def test_another_folder_is_told_from_one_that_another_job_has_taken(tmp_path: Path) -> None:
    memories = StateDirectory(tmp_path / "ours", shared=True).taken()
    memories.check()
    elsewhere = memories._replace(folder=tmp_path / "theirs")
    with pytest.raises(Misconfigured, match=r"set spark\.memory to one on a file system"):
        elsewhere.check()
    StateDirectory(tmp_path / "ours", shared=True).taken()
    with pytest.raises(Misconfigured, match="another stream job has taken over"):
        memories.check()


def test_a_spark_elsewhere_needs_a_folder_that_is_shared(tmp_path: Path) -> None:
    assert _state_directory(Settings(data=tmp_path)) == StateDirectory(tmp_path / "memory")
    with pytest.raises(Misconfigured, match=r"set spark\.memory to a folder"):
        _state_directory(Settings(spark=SparkSettings(master="spark://host:7077")))
    settings = Settings(spark=SparkSettings(master="spark://host:7077", memory=tmp_path))
    assert _state_directory(settings) == StateDirectory(tmp_path, shared=True)
