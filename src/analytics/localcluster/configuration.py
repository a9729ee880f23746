"""Writes the configuration file that the programs of a local cluster share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from analytics.localcluster.kafka import min_insync
from analytics.localcluster.plan import HOST, ClusterPlan
from analytics.settings import Settings
from analytics.settings.example import toml_value
from analytics.settings.tree import every

_HEAD: Final = """\
# Written by `analytics cluster up`, anew at each start.
# To manage this cluster: analytics --config THIS_FILE --data THIS_FOLDER/replica-1 site add …
"""
_DRAIN_S: Final = 3
"""Long enough for `analytics discover` and HAProxy's checks to notice a replica that shuts down."""
_OF_THE_PLAN: Final = ("data", "serve.host", "serve.port", "cluster.")


def written(settings: Settings, plan: ClusterPlan) -> str:
    """Return the file: the *settings* that were set, with the addresses of *plan*'s servers."""
    planned = _planned(plan)
    lines, current = [_HEAD], ""
    for setting in every():
        value = planned.get(setting.name, setting.of(settings))
        chosen = setting.name in planned or settings.origin(setting.name) != "default"
        if not chosen or isinstance(value, SecretStr) or setting.name.startswith(_OF_THE_PLAN):
            continue
        section, _, field = setting.name.rpartition(".")
        if section != current:
            current = section
            lines.append(f"\n[{section}]")
        if isinstance(value, Path):
            value = value.absolute()
        lines.append(f"{field} = {toml_value(value, setting.unit)}")
    return "\n".join(lines) + "\n"


def resolved(settings: Settings, plan: ClusterPlan) -> Settings:
    """Return *settings* with the addresses of *plan*'s servers."""
    tree = settings.model_dump()
    for name, value in _planned(plan).items():
        section, _, field = name.partition(".")
        tree[section][field] = value
    return Settings.model_validate(tree)


def _planned(plan: ClusterPlan) -> Mapping[str, object]:
    copies = min(3, plan.kafka_nodes)
    return {
        "serve.drain_s": _DRAIN_S,
        "store.backend": "ignite",
        "registry.backend": "ignite",
        "registry.address": "",
        "log.backend": "kafka",
        "kafka.bootstrap": plan.brokers,
        "kafka.replication": copies,
        "kafka.min_insync": min_insync(copies),
        "kafka.tls": False,
        "kafka.sasl_mechanism": "",
        "ignite.addresses": tuple(f"{HOST}:{plan.ignite(n)}" for n in plan.ignites),
        "ignite.backups": min(1, plan.ignite_nodes - 1),
        "ignite.tls": False,
        "ignite.username": "",
        "cassandra.addresses": (f"{HOST}:{plan.cassandra}",),
        "cassandra.datacenter": "datacenter1",
        "cassandra.replication": 1,
        "cassandra.tls": False,
        "cassandra.username": "",
        "spark.host": HOST,
        "spark.port": plan.spark_metrics,
        "spark.address": f"{HOST}:{plan.spark_metrics}",
    }
