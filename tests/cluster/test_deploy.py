"""The files for clusters elsewhere are those that were tried here."""

from __future__ import annotations

import re
from pathlib import Path

from analytics.localcluster import jars, keyspace
from analytics.localcluster.ignite import OPTIONS
from analytics.localcluster.node_xml import elsewhere
from analytics.settings import load

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = load(DEPLOY / "analytics.toml", {}, environment={})


def test_the_node_of_ignite_is_the_one_for_its_settings() -> None:
    """Write it anew: analytics --config deploy/analytics.toml cluster config ignite"""
    assert (DEPLOY / "ignite" / "node.xml").read_text().strip() == elsewhere(SETTINGS).strip()


def test_the_keyspace_is_the_one_for_its_settings() -> None:
    """Write it anew: analytics --config deploy/analytics.toml cluster config cassandra"""
    written = (DEPLOY / "cassandra" / "keyspace.cql").read_text()
    assert written == ";\n".join(keyspace.statements(SETTINGS.cassandra)) + ";\n"


def test_ignite_is_started_with_the_options_that_it_has_here() -> None:
    assert (DEPLOY / "ignite" / "java.options").read_text().split() == [*OPTIONS]


def test_the_versions_are_those_of_the_jars() -> None:
    compose = (DEPLOY / "compose.yaml").read_text()
    for image, server in (("apache/kafka", "kafka"), ("cassandra", "cassandra")):
        pom = (jars._POMS / f"{server}.xml").read_text()
        used = set(re.findall(rf"image: {image}:(\S+)", compose))
        assert len(used) == 1
        assert f"<version>{used.pop()}</version>" in pom
