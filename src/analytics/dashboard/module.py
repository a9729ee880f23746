"""The dashboard module: pages, and the API for the figures on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Never

from starlette.routing import BaseRoute

from analytics.api import stats_v2
from analytics.api.access import Wait
from analytics.dashboard import page_routes
from analytics.dashboard.context import DashboardContext


@dataclass(frozen=True, kw_only=True)
class DashboardModule:
    """What people and programs read figures from."""

    routes: Sequence[BaseRoute]
    paths: Mapping[str, Never] = field(default_factory=dict)
    name: str = "dashboard"


def module(deps: DashboardContext, wait: Wait) -> DashboardModule:
    """Put the routes together. The pages of sites lie right below `/`, so they come last."""
    api = stats_v2.routes(deps.store, deps.catalog, deps.clock, wait)
    return DashboardModule(routes=[*api, *page_routes.routes(deps)])
