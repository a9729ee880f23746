"""Measures the memory of Ignite's nodes, and decides whether there is room for more chunks.

A node whose memory is full halts, and its data are lost. So writers check first.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from analytics.errors import StoreUnavailable
from analytics.settings import IgniteSettings
from analytics.store.ignite.client import IgniteClient

FULL_AT: Final = 0.85
"""Above this share no chunks are written: the rest is for indexes, for the catalog, and for what
other processes write before their next check."""
CROWDED_AT: Final = 0.75
"""Above this share chunks are evicted early, to stay below `FULL_AT`."""
ROOMY_BELOW: Final = 0.70
"""Chunks are evicted down to this share, and loaded again up to it."""
WAY_OUT: Final = (
    "give each node more (cluster.ignite_memory, or maxSize in its node.xml), add a node, or set"
    " ignite.hot_days to what fits"
)
_LOOK_AFTER: Final = 256
"""A writer measures again after it has written this fraction of a node's memory."""
_ENTRY_BYTES: Final = 1024
"""The most that a chunk takes besides its payload."""
_USED: Final = "io.dataregion.default.TotalUsedSize"
"""Bytes of the pages in use; evicted chunks free theirs."""
_LIMIT: Final = "io.dataregion.default.MaxSize"


class MemoryUse(NamedTuple):
    """Memory of a node: bytes in use, and its limit."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        """The share in use, from 0 to 1; 0 if the node reports no limit."""
        return self.used / self.limit if self.limit else 0.0

    def __str__(self) -> str:
        return f"{self.share:.0%} full ({self.used >> 20} of {self.limit >> 20} MiB)"


class MemoryGauge(Protocol):
    """Reports how much memory is in use."""

    def use(self) -> MemoryUse:
        """Measure the memory in use. Raises `StoreUnavailable`."""


class NodeMemory:
    """The memory of the nodes at `ignite.addresses`. For one thread."""

    def __init__(self, settings: IgniteSettings) -> None:
        # A node reports only its own metrics.
        self._nodes = [
            IgniteClient(settings.model_copy(update={"addresses": (address,)}))
            for address in settings.addresses
        ]

    def close(self) -> None:
        """Close the connections."""
        for node in self._nodes:
            node.close()

    def use(self) -> MemoryUse:
        """Measure the fullest node that answers. Raises `StoreUnavailable` if none does."""
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
    """Decides whether there is room for more, measuring only now and then. For one thread."""

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
        """Count a chunk that was stored, by the size of its payload."""
        self._written += payload_bytes + _ENTRY_BYTES

    def check(self) -> None:
        """Raise `StoreUnavailable` if Ignite lacks memory."""
        if not self.has_room():
            raise StoreUnavailable(
                f"Ignite's memory is {self._use}. Chunks wait in the stream job's outbox until"
                f" older ones have left it: {WAY_OUT}"
            )


def _use(node: IgniteClient) -> MemoryUse:
    rows = node.rows('SELECT NAME, "VALUE" FROM SYS.METRICS WHERE NAME IN (?, ?)', (_USED, _LIMIT))
    metrics = {name: int(value) for name, value in rows}
    return MemoryUse(metrics.get(_USED, 0), metrics.get(_LIMIT, 0))
