"""The settings of the stream job."""

from __future__ import annotations

from pydantic import SecretStr

from analytics.settings.section import MIB, Bytes, OptionalPath, Section, setting


class SparkSettings(Section):
    """The job that folds the log of a cluster."""

    master: str = setting(
        "local[2]", "The Spark that runs the job: local[N], or spark://host:port."
    )
    memory: OptionalPath = setting(
        None,
        "The folder of what the job remembers, shared with executors elsewhere;"
        " without it, in the data folder.",
    )
    host: str = setting("127.0.0.1", "Address at which the job tells how it is.")
    port: int = setting(
        9108, "Port of its /metrics and /health/ready; 0 takes a free one.", ge=0, le=65535
    )
    trigger_s: float = setting(
        1, "Time from the beginning of one batch to the next.", unit="seconds", gt=0
    )
    max_records: int = setting(
        60_000,
        "Most records of one batch, when there is a backlog; each partition has an equal share.",
        ge=1000,
    )
    address: str = setting(
        "127.0.0.1:9108",
        "Where replicas reach the job, for days whose rows they let go: host:port.",
    )
    secret: SecretStr = setting(
        SecretStr(""),
        "What replicas and the job share; without it, the job answers this machine alone.",
    )
    question_timeout_s: float = setting(
        120, "Time after which a replica's question is given up.", unit="seconds", gt=0
    )
    question_memory: Bytes = setting(
        512 * MIB,
        "Most memory for a question, in each of Spark's tasks.",
        unit="bytes",
        ge=64 * MIB,
    )
