"""What the job counts, for its `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class JobMetrics:
    """What the job counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "analytics_job_records", "Records of the log that were folded.", registry=self.registry
        )
        self.rows = Counter("analytics_job_rows", "Rows that came of them.", registry=self.registry)
        self.dead = Counter(
            "analytics_job_dead_letters", "Records that no one understands.", registry=self.registry
        )
        self.batch = Histogram(
            "analytics_job_batch_seconds",
            "How long a batch took, from its records to its chunks.",
            registry=self.registry,
            buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
        )
        self.fold = Counter(
            "analytics_job_fold_seconds",
            "Time spent in folds, all workers.",
            registry=self.registry,
        )
        self.question = Histogram(
            "analytics_job_question_seconds",
            "How long a question of a replica's took.",
            registry=self.registry,
            buckets=(0.5, 1, 2, 5, 10, 30, 60, 120),
        )
        self.lag = Gauge(
            "analytics_job_lag_records",
            "Records that were not folded when the last batch ended.",
            registry=self.registry,
        )
        self.lag_seconds = Gauge(
            "analytics_job_lag_seconds",
            "How long the oldest record that is not folded has waited.",
            registry=self.registry,
        )
        self.retention = Gauge(
            "analytics_job_retention_seconds",
            "How long the topic keeps a record; 0 when it does for ever.",
            registry=self.registry,
        )
        self.outbox = Gauge(
            "analytics_job_outbox_bytes",
            "Chunks that Cassandra has not confirmed.",
            registry=self.registry,
        )
        self.ignite_used = Gauge(
            "analytics_job_ignite_used_bytes",
            "What data take of the memory of Ignite's fullest node.",
            registry=self.registry,
        )
        self.ignite_limit = Gauge(
            "analytics_job_ignite_limit_bytes",
            "The memory that this node has for data; what would not fit is held back.",
            registry=self.registry,
        )
        self.erasures = Gauge(
            "analytics_job_erasures_pending",
            "Orders to erase that have not reached every chunk, in all partitions.",
            registry=self.registry,
        )
