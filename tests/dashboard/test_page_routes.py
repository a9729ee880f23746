"""The routes, and the static files whose addresses change with their content."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.routing import Route
from tests.dashboard.conftest import Client

from analytics.dashboard import DashboardContext, routes, templates
from analytics.testing.builders import SITE

DOCS = Path(__file__).parents[2] / "docs" / "dashboard.md"


async def test_every_static_file_that_a_page_names_exists_for_ever(owner: Client) -> None:
    page = (await owner.get(f"/{SITE}")).text
    named = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
    assert len(named) >= 6
    for path in named:
        answer = await owner.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] in ("gzip", "br")


async def test_every_module_imports_only_modules_that_exist(owner: Client) -> None:
    for script in (templates.STATIC / "js").iterdir():
        for name in re.findall(r'from "\./([^"]+)"', script.read_text()):
            assert (templates.STATIC / "js" / name).is_file(), f"{script.name} imports {name}"


async def test_the_icon_is_found_without_being_named(stranger: Client) -> None:
    answer = await stranger.get("/favicon.ico", follow_redirects=True)
    assert answer.headers["content-type"].startswith("image/svg+xml")


def test_every_route_is_documented(deps: DashboardContext) -> None:
    text = DOCS.read_text()
    for route in routes(deps):
        if isinstance(route, Route):
            path = route.path.replace(":site", "")
            assert f"`{path}`" in text, f"{path} is missing in docs/dashboard.md"
