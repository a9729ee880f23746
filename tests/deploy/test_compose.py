"""The compose file and the swarm's stack are what Docker takes, and fit the program."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from analytics.cli.command_list import COMMANDS
from analytics.settings import load

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = ("compose.yaml", "swarm.yaml")
SETTINGS = load(DEPLOY / "analytics.toml", {}, environment={})


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    return found


def checked(content: dict[str, Any]) -> None:
    PyCompose.from_yaml(yaml.safe_dump(content)).validate()


def ours(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The services that run our own program."""
    for service, about in read(name)["services"].items():
        build = str(about.get("build", {}).get("dockerfile", ""))
        if about.get("image", "").startswith("analytics:") or "analytics.Docker" in build:
            yield service, about


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_valid(name: str) -> None:
    checked(read(name))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "wrong", [{"restrat": "always"}, {"networks": ["nowhere"]}, {"deploy": {"mode": "globall"}}]
)
def test_a_mistake_would_be_found(name: str, wrong: dict[str, Any]) -> None:
    content = copy.deepcopy(read(name))
    next(iter(content["services"].values())).update(wrong)
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}|nowhere"):
        checked(content)


@pytest.mark.parametrize("name", FILES)
def test_what_services_refer_to_is_there(name: str) -> None:
    content = read(name)
    for service, about in content["services"].items():
        assert set(about.get("depends_on", ())) <= content["services"].keys(), service
        for volume in about.get("volumes", ()):
            source = volume.split(":")[0]
            there = (DEPLOY / source).exists() if source[0] == "." else source in content["volumes"]
            assert there, f"{service}: {source}"
        for config in about.get("configs", ()):
            assert (DEPLOY / content["configs"][config["source"]]["file"]).exists()


@pytest.mark.parametrize("name", FILES)
def test_every_command_exists_with_its_options(name: str) -> None:
    found = set()
    for _, about in ours(name):
        command, *arguments = about.get("command", ["serve"])
        options = {option for param in COMMANDS[command].load().params for option in param.opts}
        assert {each for each in arguments if each.startswith("--")} <= options
        found.add(command)
    assert found == {"serve", "spark-job", "discover"}


def test_every_address_of_the_settings_is_a_service() -> None:
    services = read("compose.yaml")["services"]
    addresses = (
        *SETTINGS.kafka.bootstrap,
        *SETTINGS.ignite.addresses,
        *SETTINGS.cassandra.addresses,
    )
    assert {address.split(":")[0] for address in addresses} <= services.keys()


def test_replicas_register_where_discovery_looks() -> None:
    assert SETTINGS.registry.backend == "ignite"


def test_each_module_of_the_swarm_is_served_once_on_a_node() -> None:
    """Two programs cannot share a folder."""
    for service, about in ours("swarm.yaml"):
        if about["command"][0] == "serve":
            placed = about["deploy"]
            assert "global" in placed.get("mode", "") or (
                placed["placement"]["max_replicas_per_node"] == 1
            ), service
