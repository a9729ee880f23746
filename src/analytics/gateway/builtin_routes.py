"""The gateway's own module: what every server answers for, whatever else it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Never

from starlette.routing import BaseRoute

from analytics.gateway.module import Module


@dataclass(frozen=True, kw_only=True)
class BuiltinRoutes:
    """Health, metrics."""

    routes: Sequence[BaseRoute]
    paths: Mapping[str, Never] = field(default_factory=dict)
    name: str = "gateway"


_: type[Module] = BuiltinRoutes
