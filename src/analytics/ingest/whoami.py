"""`GET /api/whoami`: what we see of the one who asks, to check the proxies in front of us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from analytics.ingest import asgi as http
from analytics.ingest import user_agents
from analytics.ingest.client import TrustedProxies
from analytics.ingest.geolocation import Places
from analytics.ingest.proxies import unknown_proxy

ByOwner = Callable[[Scope], Awaitable[bool]]
"""Return whether an owner of the server is logged in and asks."""


_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"cookie"),
)


async def by_nobody(_: Scope) -> bool:
    """Return that no owner asks: nobody can log in here."""
    return False


class WhoamiEndpoint:
    """The ASGI application behind `/api/whoami`.

    It is for a person's eyes: pages of other origins cannot read it, and how the network behind
    the border looks is for the owner alone.
    """

    method: Final = "GET"
    charges: Final = False

    def __init__(
        self, *, trust: TrustedProxies, places: Places, by_owner: ByOwner = by_nobody
    ) -> None:
        self._trust = trust
        self._places = places
        self._by_owner = by_owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say which address we see, by whom it came, and what we make of it."""
        if scope["method"] not in ("GET", "HEAD"):
            return await http.refuse(scope, send, http.wrong_method("GET, HEAD"))
        client = self._trust.client(scope)
        looks = user_agents.parse(client.user_agent)
        place = self._places.of(client.address)
        reply: dict[str, object] = {
            "message": f"{client.address} is the address I see",
            "address": client.address,
            "warning": unknown_proxy(scope, self._trust),
            "country": place.country or None,
            "region": place.region or None,
            "city": place.city or None,
            "browser": looks.browser or None,
            "os": looks.os or None,
            "device": looks.device,
            "bot": looks.bot,
        }
        if await self._by_owner(scope):
            peer = scope.get("client")
            reply |= {
                "peer": peer[0] if peer else None,
                "forwarded_for": _forwarded(scope),
                "forwarded_for_believed": peer is not None and self._trust.contains(peer[0]),
            }
        return await http.answer(send, 200, msgspec.json.encode(reply), _HEADERS)


def _forwarded(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(values).decode("latin-1") if values else None
