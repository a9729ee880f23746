"""The settings of the stream job."""

from __future__ import annotations

from pydantic import SecretStr

from analytics.settings.section import MIB, Bytes, OptionalPath, Section, setting


class SparkSettings(Section):
    """The job that folds the log of a cluster."""

    master: str = setting(
        "local[2]", "Spark master that runs the job: local[N], or spark://host:port."
    )
    memory: OptionalPath = setting(
        None,
        "Folder of the job's state, shared with remote executors; without it, in the data folder.",
    )
    host: str = setting("127.0.0.1", "Address on which the job serves /metrics and /health/ready.")
    port: int = setting(
        9108, "Port of /metrics and /health/ready; 0 picks a free one.", ge=0, le=65535
    )
    trigger_s: float = setting(1, "Interval between the starts of batches.", unit="seconds", gt=0)
    max_records: int = setting(
        60_000,
        "Maximum records of a batch; of a backlog, each partition gets an equal share.",
        ge=1000,
    )
    address: str = setting(
        "127.0.0.1:9108",
        "Address (host:port) at which replicas query the job about days that they have evicted.",
    )
    secret: SecretStr = setting(
        SecretStr(""),
        "Secret that replicas and the job share; without it, the job answers this machine only.",
    )
    question_timeout_s: float = setting(
        120, "Time limit of a replica's query.", unit="seconds", gt=0
    )
    question_memory: Bytes = setting(
        512 * MIB,
        "Memory limit of a query in each Spark task.",
        unit="bytes",
        ge=64 * MIB,
    )
