"""`GET /api/whoami`: what we see of the one who asks, to check the proxies in front of us."""

from __future__ import annotations

from typing import Final

from starlette.types import Receive, Scope, Send

from analytics.ingest import agent
from analytics.ingest import receive as http
from analytics.ingest.client import Trust
from analytics.ingest.place import Places


class WhoamiEndpoint:
    """The ASGI application behind `/api/whoami`."""

    method: Final = "GET"

    def __init__(self, *, trust: Trust, places: Places) -> None:
        self._trust = trust
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say which address we see, by whom it came, and what we make of it."""
        if scope["method"] == "OPTIONS":
            return await http.preflight(scope, send)
        if scope["method"] not in ("GET", "HEAD"):
            return await http.refuse(scope, send, http.wrong_method("GET, HEAD"))
        client = self._trust.client(scope)
        looks = agent.parse(client.user_agent)
        place = self._places.of(client.address)
        peer = scope.get("client")
        reply = {
            "message": f"{client.address} is the address I see",
            "address": client.address,
            "peer": peer[0] if peer else None,
            "forwarded_for": _forwarded(scope),
            "forwarded_for_believed": peer is not None and self._trust.believes(peer[0]),
            "country": place.country or None,
            "region": place.region or None,
            "city": place.city or None,
            "browser": looks.browser or None,
            "os": looks.os or None,
            "device": looks.device,
            "bot": looks.bot,
        }
        return await http.json(send, 200, reply, [(b"cache-control", b"no-store")])


def _forwarded(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(values).decode("latin-1") if values else None
