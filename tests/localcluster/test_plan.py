"""The plan of a cluster on this machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from analytics.errors import Misconfigured
from analytics.localcluster import plan
from analytics.localcluster.plan import HOST, PORTS, ClusterPlan


def test_no_two_servers_share_a_port() -> None:
    whole = ClusterPlan(base=20_000, kafka_nodes=3, ignite_nodes=2, replicas=9)
    ports = [
        *(port for n in whole.kafkas for port in (whole.kafka(n), whole.controller(n))),
        *(whole.front, whole.front_statistics),
        *(whole.cassandra, whole.cassandra_storage, whole.spark_metrics),
        *(whole.ignite(n) for n in whole.ignites),
        *(whole.ignite_discovery(n) for n in whole.ignites),
        *(whole.ignite_communication(n) for n in whole.ignites),
        *(whole.replica(n) for n in range(1, 10)),
    ]
    assert len(set(ports)) == len(ports)
    assert all(20_000 <= port < 20_000 + PORTS for port in ports)


def test_a_plan_is_kept_so_that_a_restart_finds_its_data(tmp_path: Path) -> None:
    made = plan.agreed(tmp_path, base=0, kafka_nodes=3, ignite_nodes=None)
    assert plan.agreed(tmp_path, base=0, kafka_nodes=None, ignite_nodes=None) == made
    assert plan.load(tmp_path) == made


def test_another_shape_is_refused(tmp_path: Path) -> None:
    plan.agreed(tmp_path, base=0, kafka_nodes=1, ignite_nodes=1)
    with pytest.raises(Misconfigured, match="1 Kafka brokers"):
        plan.agreed(tmp_path, base=0, kafka_nodes=3, ignite_nodes=1)


def test_a_port_that_is_taken_is_not_offered() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        assert not plan._free(taken.getsockname()[1])


def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(Misconfigured, match=r"plan\.json"):
        plan.load(tmp_path)
