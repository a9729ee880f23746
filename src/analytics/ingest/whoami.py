"""`GET /api/whoami`: shows how the server sees the caller, to check a proxy's configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NotRequired, TypedDict

import msgspec
from starlette.types import Receive, Scope, Send

from analytics.api_operation import JSON, ApiAnswer, ApiOperation
from analytics.ingest import asgi as http
from analytics.ingest import user_agents
from analytics.ingest.client import TrustedProxies
from analytics.ingest.geolocation import Places
from analytics.ingest.proxies import unknown_proxy

ByOwner = Callable[[Scope], Awaitable[bool]]
"""Returns whether the request comes from a logged-in owner of the server."""


_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"cookie"),
)


class WhoamiReply(TypedDict):
    """How the server sees the caller."""

    message: str
    address: str
    warning: str | None
    """What to do about a proxy in front that is not set up."""
    country: str | None
    region: str | None
    city: str | None
    browser: str | None
    os: str | None
    device: str
    bot: str | None
    peer: NotRequired[str | None]
    """For a logged-in owner alone, as what follows."""
    forwarded_for: NotRequired[str | None]
    forwarded_for_believed: NotRequired[bool]


async def by_nobody(_: Scope) -> bool:
    """Return False: this server has no logins."""
    return False


class WhoamiEndpoint:
    """The ASGI application behind `/api/whoami`.

    It is for people: pages of other origins cannot read it, and only a logged-in owner sees the
    addresses of the proxies.
    """

    method: Final = "GET"
    charges: Final = False
    operation: Final = ApiOperation(
        summary="The address that the server sees for the caller",
        group="Server",
        answers=(ApiAnswer("How the server sees the caller.", {JSON: WhoamiReply}),),
    )

    def __init__(
        self, *, trust: TrustedProxies, places: Places, by_owner: ByOwner = by_nobody
    ) -> None:
        self._trust = trust
        self._places = places
        self._by_owner = by_owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the caller's address, its location, and its parsed user agent."""
        if scope["method"] not in ("GET", "HEAD"):
            return await http.refuse(scope, send, http.wrong_method("GET, HEAD"))
        client = self._trust.client(scope)
        agent = user_agents.parse(client.user_agent)
        location = self._places.of(client.address)
        reply: WhoamiReply = {
            "message": f"{client.address} is the address I see",
            "address": client.address,
            "warning": unknown_proxy(scope, self._trust),
            "country": location.country or None,
            "region": location.region or None,
            "city": location.city or None,
            "browser": agent.browser or None,
            "os": agent.os or None,
            "device": agent.device,
            "bot": agent.bot,
        }
        if await self._by_owner(scope):
            peer = scope.get("client")
            reply["peer"] = peer[0] if peer else None
            reply["forwarded_for"] = _forwarded(scope)
            reply["forwarded_for_believed"] = peer is not None and self._trust.contains(peer[0])
        return await http.answer(send, 200, msgspec.json.encode(reply), _HEADERS)


def _forwarded(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(values).decode("latin-1") if values else None
