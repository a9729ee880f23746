"""The routes of the dashboard: its pages, the Stats API for the figures on them, SQL."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from pathlib import Path
from typing import Final

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from analytics.api import sql, stats_v2
from analytics.api.access import Wait
from analytics.api.sites import routes as sites_routes
from analytics.api.sites.access import SitesContext
from analytics.catalog.domain import FILE_TYPES, TAKEN
from analytics.dashboard import (
    ledger_page,
    live,
    login,
    report_page,
    segments_page,
    site_settings,
    sites,
    templates,
)
from analytics.dashboard.account import Account
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.login import Login
from analytics.dashboard.login_guard import LoginGuard
from analytics.dashboard.page_request import ACCOUNT, Handler, PageRequest, endpoint
from analytics.dashboard.setup import Setup
from analytics.dashboard.shared_report import SharedReport
from analytics.dashboard.throttle import Throttle
from analytics.module import Module
from analytics.precompressed import CompressedFile

_TAKEN: Final = "|".join(map(re.escape, sorted(TAKEN)))
_TYPES: Final = "|".join(sorted(FILE_TYPES))


class _SiteName(Convertor[str]):
    """The first part of the path of a site's pages: any text that can be a site's name."""

    regex = rf"(?i:(?!(?:{_TAKEN}|[^/]*\.(?:{_TYPES}))(?:/|$)))[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("site", _SiteName())

CACHED_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"


class Static(StaticFiles):
    """Static files, compressed once; their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if isinstance(response, FileResponse):
            file = await asyncio.to_thread(_compressed, Path(response.path))
            content, coding = file.negotiated(scope["headers"])
            validators = {"ETag": response.headers["etag"], "Vary": "Accept-Encoding"}
            response = Response(content, headers=validators, media_type=response.media_type)
            if coding is not None:
                response.headers["Content-Encoding"] = coding.decode()
        response.headers["Cache-Control"] = CACHED_FOR_A_YEAR
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


@cache
def _compressed(path: Path) -> CompressedFile:
    """Return a file of the package. There are about twenty, so all of them stay in memory."""
    return CompressedFile.read(path)


async def favicon(_request: Request) -> Response:
    """Redirect browsers that request the icon at its customary address."""
    return RedirectResponse(templates.static("logo.svg"), 307)


def routes(deps: DashboardContext) -> list[BaseRoute]:
    """Return the routes of all pages.

    A site's pages lie directly below `/`, so these routes must come last in an app.
    """
    throttle = Throttle(deps.clock)
    entry = Login(LoginGuard(throttle, deps.clock))
    first_run, own = Setup(throttle), Account(throttle)
    shared = SharedReport(throttle)

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
        get(ACCOUNT, own.show),
        post(ACCOUNT, own.change),
        get("/sites/new", sites.new),
        post("/sites/new", sites.add),
        get("/share/{domain}", shared.show),
        get("/share/{domain}/live", live.show),
        get("/share/{domain}/list/{tab}", shared.full_list),
        get("/share/{domain}/unlock", shared.locked),
        post("/share/{domain}/unlock", shared.unlock),
        get("/{domain:site}", report_page.show),
        post("/{domain:site}/segments", segments_page.save),
        get("/{domain:site}/live", live.show),
        get("/{domain:site}/list/{tab}", report_page.full_list),
        get("/{domain:site}/start", sites.start),
        get("/{domain:site}/ledger", ledger_page.show),
        get("/{domain:site}/settings/confirm", site_settings.confirm),
        get("/{domain:site}/settings", site_settings.show),
        post("/{domain:site}/settings", site_settings.change),
    ]


def module(deps: DashboardContext, wait: Wait) -> Module:
    """Return the module; *wait* returns once the events of a receipt are in the figures."""
    api = stats_v2.routes(deps.store, deps.catalog, deps.clock, wait)
    asking = sql.routes(deps.store, deps.catalog)
    provisioning = sites_routes.routes(
        SitesContext(
            catalog=deps.catalog,
            rows=deps.erases,
            first_event=deps.store.first_event,
            clock=deps.clock,
            settle=deps.settle,
            origin=lambda request: PageRequest(deps, request, None).origin(),
        )
    )
    return Module(name="dashboard", routes=[*api, *asking, *provisioning, *routes(deps)])
