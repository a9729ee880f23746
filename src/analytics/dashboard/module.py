"""The dashboard module: pages, and the Stats API for the figures on them."""

from __future__ import annotations

from analytics.api import stats_v2
from analytics.api.access import Wait
from analytics.dashboard import page_routes
from analytics.dashboard.context import DashboardContext
from analytics.module import Module


def module(deps: DashboardContext, wait: Wait) -> Module:
    """Put the routes together. The pages of sites lie right below `/`, so they come last."""
    api = stats_v2.routes(deps.store, deps.catalog, deps.clock, wait)
    return Module(name="dashboard", routes=[*api, *page_routes.routes(deps)])
