"""The folder in which the partitions' memories lie, and whose it is."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from analytics.errors import Misconfigured
from analytics.job.partition.state_store import PartitionState

_OWNER: Final = "owner"


class StateDirectory(NamedTuple):
    """Memories of partitions; it is sent to whoever folds."""

    folder: Path
    shared: bool = False
    """Whether other machines use the folder, too."""
    owner: str = ""
    """The run of a job that they belong to."""

    def taken(self) -> StateDirectory:
        """These memories, for a run of a job that begins now; an earlier run has lost them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = uuid.uuid4().hex
        fresh = self.folder / f"{_OWNER}.{owner}"
        fresh.write_text(owner, "ascii")
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.rename(self.folder / _OWNER)
        return self._replace(owner=owner)

    def check(self) -> None:
        """Raise `Misconfigured` where the folder is another one, or another run has taken it."""
        try:
            found = (self.folder / _OWNER).read_text("ascii")
        except OSError:
            found = ""
        if found == self.owner:
            return
        if found:
            raise Misconfigured(
                f"another stream job has taken over {self.folder}: there must be one only"
            )
        raise Misconfigured(
            f"{self.folder} on {socket.gethostname()} is not the folder that the stream job has"
            " there: set spark.memory to one on a file system that the job and every executor"
            " share"
        )

    def open(self, partition: int) -> PartitionState:
        """The memory of *partition*, made when it is not there."""
        path = self.folder / f"partition-{partition:05d}.sqlite"
        return PartitionState(path, shared=self.shared)

    def partitions(self) -> Iterator[int]:
        """The partitions that have a memory, in order."""
        for path in sorted(self.folder.glob("partition-*.sqlite")):
            yield int(path.stem.rpartition("-")[2])

    def next_offsets(self) -> dict[int, int]:
        """For each partition with a memory, how far it was folded."""
        found = {}
        for partition in self.partitions():
            with self.open(partition) as memory:
                if (offset := memory.next_offset) is not None:
                    found[partition] = offset
        return found
