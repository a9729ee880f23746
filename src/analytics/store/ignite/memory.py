"""The memory of Ignite's nodes: how much is used, and whether there is room for more.

A node whose memory is full halts, with all that it holds. So whoever writes asks first.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from analytics.errors import StoreUnavailable
from analytics.settings import IgniteSettings
from analytics.store.ignite.client import IgniteClient

FULL_AT: Final = 0.85
"""From this share on a node is given nothing more: the rest is for its indexes, for sites and
people, and for what others write before they look."""
CROWDED_AT: Final = 0.75
"""From this share on chunks leave early, so that it never comes to that."""
ROOMY_BELOW: Final = 0.70
"""Down to this share they leave, and up to it chunks are fetched back."""
WAY_OUT: Final = (
    "give each node more (cluster.ignite_memory, or maxSize in its node.xml), add a node, or set"
    " ignite.hot_days to what fits"
)
_LOOK_AFTER: Final = 256
"""A writer looks again when it has written this fraction of a node's memory."""
_ENTRY_BYTES: Final = 1024
"""What a chunk takes besides its payload, at most."""
_USED: Final = "io.dataregion.default.TotalUsedSize"
"""The pages that hold something; those that were let go are free for anything else."""
_LIMIT: Final = "io.dataregion.default.MaxSize"


class MemoryUse(NamedTuple):
    """What a node's data take of its memory."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        """Of its memory; 0 for a node that tells no limit."""
        return self.used / self.limit if self.limit else 0.0

    def __str__(self) -> str:
        return f"{self.share:.0%} full ({self.used >> 20} of {self.limit >> 20} MiB)"


class MemoryGauge(Protocol):
    """A memory that tells how full it is."""

    def use(self) -> MemoryUse:
        """What data take of it. Raises `StoreUnavailable`."""


class NodeMemory:
    """The memory of the nodes at `ignite.addresses`. For one thread."""

    def __init__(self, settings: IgniteSettings) -> None:
        # Each node tells only of itself.
        self._nodes = [
            IgniteClient(settings.model_copy(update={"addresses": (address,)}))
            for address in settings.addresses
        ]

    def close(self) -> None:
        """Give the connections back."""
        for node in self._nodes:
            node.close()

    def use(self) -> MemoryUse:
        """The use of the fullest node that answers. Raises `StoreUnavailable` when none does."""
        uses: list[MemoryUse] = []
        fault: StoreUnavailable | None = None
        for node in self._nodes:
            try:
                uses.append(_use(node))
            except StoreUnavailable as exc:
                fault = exc
        if not uses and fault is not None:
            raise fault
        return max(uses, key=lambda each: each.share)


class Admission:
    """Decides whether there is room for more, without asking a node each time. For one thread."""

    def __init__(self, memory: MemoryGauge, *, below: float = FULL_AT) -> None:
        self._memory = memory
        self._below = below
        self._use: MemoryUse | None = None
        self._written = 0

    def has_room(self) -> bool:
        """Return whether the fullest node is below the bound. Raises `StoreUnavailable`."""
        use = self._use
        if use is None or use.share >= self._below or self._written > use.limit // _LOOK_AFTER:
            use = self._use = self._memory.use()
            self._written = 0
        return use.share < self._below

    def wrote(self, payload_bytes: int) -> None:
        """Count a chunk that came into memory."""
        self._written += payload_bytes + _ENTRY_BYTES

    def check(self) -> None:
        """Raise `StoreUnavailable` when there is no room."""
        if not self.has_room():
            raise StoreUnavailable(
                f"Ignite's memory is {self._use}. Chunks wait in the stream job's outbox until"
                f" older ones have left it: {WAY_OUT}"
            )


def _use(node: IgniteClient) -> MemoryUse:
    rows = node.rows('SELECT NAME, "VALUE" FROM SYS.METRICS WHERE NAME IN (?, ?)', (_USED, _LIMIT))
    metrics = {name: int(value) for name, value in rows}
    return MemoryUse(metrics.get(_USED, 0), metrics.get(_LIMIT, 0))
