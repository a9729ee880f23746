"""What a machine lacks is said before anything is started."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from analytics.cli.main import analytics
from analytics.errors import Misconfigured, Unavailable
from analytics.localcluster import jars
from analytics.localcluster.jars import Jars
from analytics.settings import ClusterSettings


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_machine_without_java_is_told_what_to_install() -> None:
    with pytest.raises(Misconfigured, match=r"needs Java 17.*no command 'no-such-java'"):
        jars.java("no-such-java")


@pytest.mark.parametrize(("said", "found"), [("21.0.1", "21"), ("1.8.0_402", "8")])
def test_another_java_is_told_apart(tmp_path: Path, said: str, found: str) -> None:
    other = program(tmp_path / "java", f"""echo 'openjdk version "{said}" 2024' >&2""")
    with pytest.raises(Misconfigured, match=f"is version {found};"):
        jars.java(other)


def test_java_17_is_taken(tmp_path: Path) -> None:
    right = program(tmp_path / "java", """echo 'openjdk version "17.0.15" 2025' >&2""")
    assert jars.java(right) == tmp_path / "java"


def test_a_machine_without_maven_is_told_what_to_install(tmp_path: Path) -> None:
    settings = ClusterSettings(maven="no-such-mvn", jars=tmp_path)
    with pytest.raises(Misconfigured, match="needs Maven: there is no command 'no-such-mvn'"):
        Jars(settings, print).of("kafka")


def test_jars_are_fetched_once_with_their_progress(tmp_path: Path) -> None:
    maven = program(
        tmp_path / "mvn",
        """
mkdir jars
for n in $(seq 45); do
  echo "Downloaded from central: https://x.example/a/part-$n.jar (1 kB at 2 kB/s)"
  : > jars/part-$n.jar
done
echo run >> """
        + json.dumps(str(tmp_path / "runs")),
    )
    said: list[str] = []
    there = Jars(ClusterSettings(maven=maven, jars=tmp_path / "jars"), said.append)
    folder = there.of("kafka")
    assert len(list(folder.glob("*.jar"))) == 45
    assert there.of("kafka") == folder
    assert (tmp_path / "runs").read_text() == "run\n"
    assert said[0] == "kafka: fetching its jars, once"
    assert "kafka: 40 jars fetched, most recently part-40.jar" in said


def test_a_failed_fetch_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    maven = program(tmp_path / "mvn", "mkdir jars; echo '[ERROR] no route to host'; exit 1")
    there = Jars(ClusterSettings(maven=maven, jars=tmp_path / "jars"), print)
    with pytest.raises(Unavailable, match="no route to host"):
        there.of("kafka")
    assert list((tmp_path / "jars").iterdir()) == []


def test_two_may_fetch_the_same_at_once(tmp_path: Path) -> None:
    there = Jars(ClusterSettings(maven="mvn", jars=tmp_path / "jars"), print)
    kept = there.folder_of("kafka")
    other = f"mkdir -p {kept} jars; : > {kept}/other.jar; : > jars/ours.jar"
    maven = program(tmp_path / "mvn", other)
    there = Jars(ClusterSettings(maven=maven, jars=tmp_path / "jars"), print)
    assert [jar.name for jar in there.of("kafka").iterdir()] == ["other.jar"]


def test_spark_and_its_kafka_source_are_of_one_version() -> None:
    pom = ET.fromstring((jars._POMS / "spark.xml").read_text())
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    version = pom.findtext("m:properties/m:spark.version", namespaces=space)
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'"pyspark=={version}"' in project


def test_a_command_fetches_them_beforehand(tmp_path: Path) -> None:
    maven = program(tmp_path / "mvn", "mkdir jars; : > jars/one.jar")
    reply = CliRunner().invoke(
        analytics,
        ["cluster", "fetch", "spark"],
        env={
            "ANALYTICS_CLUSTER__MAVEN": maven,
            "ANALYTICS_CLUSTER__JARS": str(tmp_path / "jars"),
        },
    )
    assert reply.exit_code == 0, reply.output
    (kept,) = (tmp_path / "jars").iterdir()
    assert (kept.name[:6], [each.name for each in kept.iterdir()]) == ("spark-", ["one.jar"])
