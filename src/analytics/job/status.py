"""The job's port: how it is, and what it answers replicas."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from analytics.background import LoopState
from analytics.errors import Misconfigured
from analytics.job.replies import MAX_QUESTION_BYTES, Asked, Reply
from analytics.store.replica.history import PATH


class Figures:
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


Fault = Callable[[], str | None]


@contextmanager
def told(
    host: str,
    port: int,
    figures: Figures,
    *,
    fault: Fault,
    alarms: Mapping[str, Fault],
    loops: Sequence[LoopState] = (),
    replies: Callable[[Asked], Reply],
) -> Iterator[int]:
    """While the block runs, whoever asks is told; the port at which.

    With a *fault* the job is not ready. With one of the *alarms* it is, for it must be let work.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._reply(200, generate_latest(figures.registry), "text/plain; version=0.0.4")
            elif self.path == "/health/live":
                self._reply(200, b'{"status": "live"}', "application/json")
            elif self.path == "/health/ready":
                wrong = fault()
                body = {
                    "status": "unready" if wrong else "ready",
                    "checks": {
                        "job": wrong or "ok",
                        **{name: alarm() or "ok" for name, alarm in alarms.items()},
                    },
                    "degraded": {each.name: each.meanwhile for each in loops if each.error},
                    "background": {each.name: each.shown() for each in loops},
                }
                self._reply(503 if wrong else 200, json.dumps(body).encode(), "application/json")
            else:
                self._reply(404, b"", "text/plain")

        def do_POST(self) -> None:
            if self.path != PATH:
                self._reply(404, b"", "text/plain")
                return
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(min(length, MAX_QUESTION_BYTES + 1))
            authorization = self.headers.get("authorization", "")
            self._reply(*replies(Asked(self.client_address[0], authorization, body)))

        def _reply(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody needs to know."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as exc:
        raise Misconfigured(
            f"port {port} on {host} can't be listened on: {exc.strerror or exc}; choose another"
            " with spark.port"
        ) from exc
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="status", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
