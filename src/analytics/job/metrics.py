"""The metrics of the Spark job, served at its `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class JobMetrics:
    """The metrics of one run of the job, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "analytics_job_records",
            "Records of the log that were processed.",
            registry=self.registry,
        )
        self.rows = Counter("analytics_job_rows", "Rows that were stored.", registry=self.registry)
        self.dead = Counter(
            "analytics_job_dead_letters",
            "Records that could not be decoded.",
            registry=self.registry,
        )
        self.batch = Histogram(
            "analytics_job_batch_seconds",
            "Time to process a batch, from reading its records to storing its chunks.",
            registry=self.registry,
            buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
        )
        self.fold = Counter(
            "analytics_job_fold_seconds",
            "Time spent folding records, all workers together.",
            registry=self.registry,
        )
        self.question = Histogram(
            "analytics_job_question_seconds",
            "Time to answer a replica's query.",
            registry=self.registry,
            buckets=(0.5, 1, 2, 5, 10, 30, 60, 120),
        )
        self.lag = Gauge(
            "analytics_job_lag_records",
            "Records that were unprocessed when the last batch ended.",
            registry=self.registry,
        )
        self.lag_seconds = Gauge(
            "analytics_job_lag_seconds",
            "Age of the oldest unprocessed record.",
            registry=self.registry,
        )
        self.retention = Gauge(
            "analytics_job_retention_seconds",
            "Retention of the topic; 0 if it keeps records forever.",
            registry=self.registry,
        )
        self.outbox = Gauge(
            "analytics_job_outbox_bytes",
            "Size of the chunks that Cassandra has not confirmed.",
            registry=self.registry,
        )
        self.ignite_used = Gauge(
            "analytics_job_ignite_used_bytes",
            "Memory used for data on Ignite's fullest node.",
            registry=self.registry,
        )
        self.ignite_limit = Gauge(
            "analytics_job_ignite_limit_bytes",
            "Memory available for data on that node.",
            registry=self.registry,
        )
        self.erasures = Gauge(
            "analytics_job_erasures_pending",
            "Erasures not yet applied to every chunk, all partitions together.",
            registry=self.registry,
        )
