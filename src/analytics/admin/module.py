"""The admin module: what an owner sees of the program itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Never

from starlette.routing import BaseRoute

from analytics.api.ledger import LedgerApi


@dataclass(frozen=True, kw_only=True)
class AdminModule:
    """What accounts for hits and for the server."""

    routes: Sequence[BaseRoute]
    paths: Mapping[str, Never] = field(default_factory=dict)
    name: str = "admin"


def admin(ledger: LedgerApi, pages: Sequence[BaseRoute]) -> AdminModule:
    """Put the routes together; *pages* are drawn where the other pages are."""
    return AdminModule(routes=[*ledger.routes(), *pages])
