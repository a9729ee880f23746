"""The dashboard module: pages, and the API for the figures on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Never

from starlette.routing import BaseRoute

from analytics.dashboard import pages, stats_api
from analytics.dashboard.deps import Dashboard
from analytics.dashboard.stats_access import Wait


@dataclass(frozen=True, kw_only=True)
class Pages:
    """What people and programs read figures from."""

    routes: Sequence[BaseRoute]
    paths: Mapping[str, Never] = field(default_factory=dict)
    name: str = "dashboard"


def module(deps: Dashboard, wait: Wait) -> Pages:
    """Put the routes together. The pages of sites lie right below `/`, so they come last."""
    api = stats_api.routes(deps.store, deps.catalog, deps.clock, wait)
    return Pages(routes=[*api, *pages.routes(deps)])
