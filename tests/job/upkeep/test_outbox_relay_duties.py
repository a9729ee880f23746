"""What the relay cannot do now holds up nothing else that it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analytics.errors import StoreUnavailable
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.upkeep.outbox_relay import OutboxRelay
from analytics.settings import CassandraSettings, IgniteSettings


class RoomyIgnite:
    """A headroom that has room."""

    def keep(self, needed: Callable[[], set[str]]) -> int:
        return 0


class Duties(OutboxRelay):
    """An outbox relay whose duties are noted, and some of which fail: nobody is behind it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(StateDirectory(folder), IgniteSettings(), CassandraSettings())
        self.eviction = RoomyIgnite()  # type: ignore[assignment]
        self._seal_at = 0.0
        self.failing: set[str] = set()
        self.done: list[str] = []

    def _do(self, duty: str) -> None:
        if duty in self.failing:
            raise StoreUnavailable(f"{duty}: Cassandra does not answer")
        self.done.append(duty)

    def lost(self) -> bool:
        return False

    def recall(self) -> int:
        self._do("recall")
        return 0

    def round(self) -> None:
        self._do("round")

    def erase(self) -> None:
        self._do("erase")

    def seal(self, now: int) -> None:
        self._do("seal")


ALL = ["recall", "round", "erase", "seal"]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Duties]:
    relay = Duties(tmp_path)
    yield relay
    relay.close()


@pytest.mark.parametrize("duty", ALL)
def test_a_duty_that_fails_holds_up_no_other(relay: Duties, duty: str) -> None:
    relay.failing = {duty}
    with pytest.raises(StoreUnavailable, match=duty):
        relay.step()
    assert relay.done == [each for each in ALL if each != duty]


def test_several_that_fail_are_told_of_together(relay: Duties) -> None:
    relay.failing = {"recall", "erase"}
    with pytest.raises(
        ExceptionGroup, match="2 of the duties of the outbox relay failed"
    ) as raised:
        relay.step()
    assert len(raised.value.exceptions) == 2
    assert relay.done == ["round", "seal"]
    relay.failing = set()
    relay.done.clear()
    relay._seal_at = relay._recall_at = 0.0
    relay.step()
    assert relay.done == ALL
