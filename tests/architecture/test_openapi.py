"""The OpenAPI document is complete and valid."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from analytics import app, startup
from analytics.gateway import openapi
from analytics.settings import Settings
from analytics.settings.assistants import McpSettings

FOR_PROGRAMS = re.compile("/(api|health|metrics|mcp)(/|$)")
WITHOUT_PAGES = {"gateway", "ingest"}
"""Modules that have nothing for people to look at."""


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[app.Application]:
    settings = Settings(data=tmp_path / "data", mcp=McpSettings(http=True))
    async with startup.open_resources(settings) as parts:
        yield app.compose(parts, setup_token=None)


@pytest.fixture
def document(application: app.Application) -> dict[str, Any]:
    return openapi.document(application.gate.modules())


def test_it_has_every_route_that_is_for_programs(
    application: app.Application, document: dict[str, Any]
) -> None:
    public = {
        (line.path, method)
        for line in application.gate.table()
        for method in line.methods.split(", ")
        if line.module in WITHOUT_PAGES or FOR_PROGRAMS.match(line.path)
    }
    described = {(path, m.upper()) for path, item in document["paths"].items() for m in item}
    assert len(public) > 30
    assert described == public


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_it_names_the_parameters_that_a_path_has(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), (method, path)


def test_no_two_operations_share_an_id(document: dict[str, Any]) -> None:
    ids = [op["operationId"] for item in document["paths"].values() for op in item.values()]
    assert len(ids) == len(set(ids))


def test_it_is_served_to_anybody(application: app.Application, document: dict[str, Any]) -> None:
    reply = TestClient(application.gate).get("/api/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == document
