"""The table of wire formats: each path is served, routed, reserved, and answered alike."""

from __future__ import annotations

import re

import pytest
from tests.architecture.checkout import ROOT
from tests.ingest.world import Ingesting

from analytics.catalog.domain import TAKEN
from analytics.ingest.wire.formats import FORMATS

PATHS = [path for path, _ in FORMATS]


@pytest.mark.parametrize("path", PATHS)
async def test_one_endpoint_answers_every_format(world: Ingesting, path: str) -> None:
    preflight = await world.ask("OPTIONS", path)
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, "*")
    refused = await world.ask("DELETE", path)
    assert (refused.status, refused.json["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"].split(", ")[0] == world.module.paths[path].method
    empty = await world.ask(world.module.paths[path].method, path)
    assert (empty.status, empty.json["code"]) == (400, "malformed")
    assert world.module.counts.refusals == {"malformed": 1}


def test_the_balancer_sends_every_path_of_ingest_to_its_servers(world: Ingesting) -> None:
    """Of several lines of an acl, any may match; each names whole paths."""
    configuration = (ROOT / "haproxy.cfg").read_text()
    lines = re.findall(r"^\s*acl ingest path,url_dec -m str (.*)$", configuration, re.MULTILINE)
    assert sorted(path for line in lines for path in line.split()) == sorted(world.module.paths)


def test_no_site_has_the_name_of_a_path(world: Ingesting) -> None:
    assert {path.split("/")[1] for path in world.module.paths} <= TAKEN
