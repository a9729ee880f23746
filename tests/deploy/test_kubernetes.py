"""The manifests are what Kubernetes takes, and fit the program and each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from analytics.cli.command_list import COMMANDS
from analytics.settings import Settings, load

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OBJECTS: list[dict[str, Any]] = [
    each for path in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())
]
TEXT = "\n".join(path.read_text() for path in sorted(FOLDER.glob("*.yaml")))
VERSIONS = ("1.32", "1.37")
"""The oldest in which all of it is stable, and a newest."""


def label(each: dict[str, Any]) -> str:
    return f"{each['kind']}/{each['metadata']['name']}"


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [each for each in OBJECTS if each["kind"] in kinds]


WORKLOADS = of_kind("Deployment", "StatefulSet")


def containers(*images: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for workload in WORKLOADS:
        for container in workload["spec"]["template"]["spec"]["containers"]:
            if container["image"].split(":")[0] in images:
                yield workload, container


def settings(tmp_path: Path) -> Settings:
    (found,) = of_kind("ConfigMap")
    path = tmp_path / "analytics.toml"
    path.write_text(found["data"]["analytics.toml"])
    return load(path, {}, environment={})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("each", OBJECTS, ids=label)
def test_every_object_is_valid(each: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(each, version, strict=True)


def test_a_wrong_field_would_be_found() -> None:
    wrong = {**WORKLOADS[0], "spec": {**WORKLOADS[0]["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_no_two_objects_have_one_name() -> None:
    assert len({label(each) for each in OBJECTS}) == len(OBJECTS)


def test_the_settings_are_read_without_a_fault(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found.store.backend, found.log.backend) == ("ignite", "kafka")


def test_every_command_exists_with_its_options() -> None:
    found = 0
    for workload, container in containers("analytics"):
        name, *arguments = container["args"]
        command = COMMANDS[name].load()
        command.make_context(name, [*arguments[:-2]], resilient_parsing=False)
        assert isinstance(command, click.Command), label(workload)
        found += 1
    assert found >= 3


def test_every_module_is_served_by_somebody() -> None:
    served = [
        module
        for _, container in containers("analytics")
        if container["args"][0] == "serve"
        for module in container["args"][container["args"].index("--modules") + 1].split(",")
    ]
    assert sorted(served) == ["admin", "dashboard", "ingest"]


def test_ports_are_those_at_which_the_program_listens(tmp_path: Path) -> None:
    in_force = settings(tmp_path)
    wanted = {"serve": in_force.serve.port, "spark-job": in_force.spark.port}
    for _, container in containers("analytics"):
        if container["args"][0] in wanted:
            (port,) = container["ports"]
            assert port["containerPort"] == wanted[container["args"][0]]


@pytest.mark.parametrize("each", of_kind("Service"), ids=label)
def test_every_service_leads_to_pods_and_to_their_ports(each: dict[str, Any]) -> None:
    (found,) = [
        workload["spec"]["template"]["spec"]["containers"]
        for workload in WORKLOADS
        if each["spec"]["selector"].items()
        <= workload["spec"]["template"]["metadata"]["labels"].items()
    ]
    open_ = {
        value
        for container in found
        for port in container.get("ports", ())
        for value in (port["containerPort"], port["name"])
    }
    for port in each["spec"]["ports"]:
        assert port.get("targetPort", port["port"]) in open_


@pytest.mark.parametrize("each", WORKLOADS, ids=label)
def test_what_a_workload_refers_to_is_there(each: dict[str, Any]) -> None:
    pod = each["spec"]["template"]
    assert each["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    volumes = {volume["name"] for volume in pod["spec"].get("volumes", ())}
    volumes |= {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", ())}
    for container in pod["spec"]["containers"]:
        assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes
    named = {label(found) for found in OBJECTS}
    for volume in pod["spec"].get("volumes", ()):
        if "configMap" in volume:
            made = f"ConfigMap/{volume['configMap']['name']}" in named
            # …or by hand, from a file, as the manifest says.
            assert made or f"create configmap {volume['configMap']['name']} --from-file" in TEXT


@pytest.mark.parametrize("name", ["ingest", "dashboard"])
def test_what_serves_scales_by_itself_and_is_never_all_gone(name: str) -> None:
    (scaled,) = [each for each in of_kind("HorizontalPodAutoscaler") if label(each)[24:] == name]
    target = scaled["spec"]["scaleTargetRef"]
    assert f"{target['kind']}/{target['name']}" in {label(each) for each in WORKLOADS}
    assert scaled["spec"]["minReplicas"] >= 2
    assert f"PodDisruptionBudget/{name}" in {label(each) for each in OBJECTS}


def test_hits_that_wait_for_kafka_outlive_their_pod() -> None:
    (ingest,) = [each for each in WORKLOADS if each["metadata"]["name"] == "ingest"]
    assert ingest["kind"] == "StatefulSet"
    kept = ingest["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert set(kept.values()) == {"Retain"}


def test_every_container_has_probes_and_limits() -> None:
    for workload in WORKLOADS:
        for container in workload["spec"]["template"]["spec"]["containers"]:
            if container["name"] != "discover":  # which nobody asks anything
                assert "readinessProbe" in container, label(workload)
            assert "memory" in container["resources"]["limits"], label(workload)
