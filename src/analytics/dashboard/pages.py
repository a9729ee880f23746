"""The routes of the dashboard."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from analytics.dashboard import (
    ledger_page,
    live,
    login,
    report_page,
    site_settings,
    sites,
    templates,
)
from analytics.dashboard.ask import Handler, endpoint
from analytics.dashboard.deps import Dashboard
from analytics.dashboard.login import Login
from analytics.dashboard.setup import Setup
from analytics.dashboard.throttle import Throttle

FOR_EVER: Final = "public, max-age=31536000, immutable"


class Static(StaticFiles):
    """Static files, whose addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = FOR_EVER
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


async def favicon(_request: Request) -> Response:
    """The icon, for browsers that ask without being told where it is."""
    return RedirectResponse(templates.static("logo.svg"), 307)


def routes(deps: Dashboard) -> list[BaseRoute]:
    """Every page. A site's pages lie right below `/`, so these routes come last in an app."""
    throttle = Throttle(deps.clock)
    entry, first_run = Login(throttle), Setup(throttle)

    def get(path: str, handler: Handler) -> Route:
        return Route(path, endpoint(deps, handler), methods=["GET"])

    def post(path: str, handler: Handler) -> Route:
        return Route(path, endpoint(deps, handler), methods=["POST"])

    version = templates.static_version()
    return [
        Mount(f"/static/{version}", Static(directory=templates.STATIC)),
        Route("/favicon.ico", favicon, methods=["GET"]),
        get("/", sites.show),
        get("/setup", first_run.show),
        post("/setup", first_run.create),
        get("/login", entry.show),
        post("/login", entry.enter),
        post("/logout", login.leave),
        get("/sites/new", sites.new),
        post("/sites/new", sites.add),
        get("/{domain}", report_page.show),
        get("/{domain}/live", live.show),
        get("/{domain}/list/{tab}", report_page.full_list),
        get("/{domain}/start", sites.start),
        get("/{domain}/ledger", ledger_page.show),
        get("/{domain}/settings", site_settings.show),
        post("/{domain}/settings", site_settings.change),
    ]
