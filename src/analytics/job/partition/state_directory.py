"""The folder with one state file per partition, which belongs to one run of the job at a time."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from analytics import durable_file
from analytics.errors import Misconfigured
from analytics.job.partition.state_store import PartitionState

_OWNER: Final = "owner"


class StateDirectory(NamedTuple):
    """A folder of state files. Spark sends this to each worker."""

    folder: Path
    shared: bool = False
    """Whether other machines use the folder too."""
    owner: str = ""
    """Identifies the run of the job that owns the folder."""

    def taken(self) -> StateDirectory:
        """Claim the folder for a new run of the job and return it; earlier runs lose it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = uuid.uuid4().hex
        durable_file.replace(
            self.folder / _OWNER,
            owner.encode("ascii"),
            temporary=self.folder / f"{_OWNER}.{owner}",  # two jobs may start at once
        )
        return self._replace(owner=owner)

    def check(self) -> None:
        """Raise `Misconfigured` if another run owns the folder, or it is not the job's folder."""
        try:
            owner = (self.folder / _OWNER).read_text("ascii")
        except OSError:
            owner = ""
        if owner == self.owner:
            return
        if owner:
            raise Misconfigured(
                f"another stream job has taken over {self.folder}: there must be one only"
            )
        raise Misconfigured(
            f"{self.folder} on {socket.gethostname()} is not the folder that the stream job has"
            " there: set spark.memory to one on a file system that the job and every executor"
            " share"
        )

    def open(self, partition: int) -> PartitionState:
        """Open the state of *partition*, creating its file if needed. Raises `StoreUnavailable`."""
        path = self.folder / f"partition-{partition:05d}.sqlite"
        return PartitionState(path, shared=self.shared)

    def partitions(self) -> Iterator[int]:
        """Yield the partitions that have a state file, in ascending order."""
        for path in sorted(self.folder.glob("partition-*.sqlite")):
            yield int(path.stem.rpartition("-")[2])

    def next_offsets(self) -> dict[int, int]:
        """Map each partition to the offset of its first unprocessed record.

        Partitions without any processed record are left out. Raises `StoreUnavailable`.
        """
        offsets = {}
        for partition in self.partitions():
            with self.open(partition) as state:
                if (offset := state.next_offset) is not None:
                    offsets[partition] = offset
        return offsets
