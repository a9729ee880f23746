"""The configuration that a cluster's programs share."""

from __future__ import annotations

from pathlib import Path

from analytics.localcluster.configuration import resolved, written
from analytics.localcluster.plan import ClusterPlan
from analytics.settings import load

PLAN = ClusterPlan(base=20_000, kafka_nodes=3, ignite_nodes=2)


def test_what_is_written_loads_to_what_was_given_with_the_addresses_of_the_plan(
    tmp_path: Path,
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'data = "here"\n[ingest]\nrate_per_s = 7\n[kafka]\ntopic = "visits"\npassword = "x"\n'
        '[serve]\nport = 1\n[store]\nmemory_limit = "3 GiB"\n'
    )
    given = load(own, {}, environment={})
    file = tmp_path / "analytics.toml"
    file.write_text(written(given, PLAN))
    settings = load(file, {}, environment={})
    assert settings.ingest.rate_per_s == 7
    assert settings.kafka.topic == "visits"
    assert settings.store.memory_limit == 3 << 30
    assert settings.store.backend == "ignite"
    assert settings.log.backend == "kafka"
    assert settings.kafka.bootstrap == ("127.0.0.1:20001", "127.0.0.1:20002", "127.0.0.1:20003")
    assert (settings.kafka.replication, settings.kafka.min_insync) == (3, 2)
    assert settings.ignite.addresses == ("127.0.0.1:20031", "127.0.0.1:20032")
    assert settings.ignite.backups == 1
    assert settings.cassandra.addresses == ("127.0.0.1:20020",)
    assert settings.serve.port == 8000, "each replica has one of its own"
    assert resolved(given, PLAN).kafka.bootstrap == settings.kafka.bootstrap


def test_no_secret_is_written(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[kafka]\npassword = "hush"\n')
    assert "hush" not in written(load(own, {}, environment={}), PLAN)
