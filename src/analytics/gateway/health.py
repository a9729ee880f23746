"""`/health/live`: the process answers. `/health/ready`: it can do its work, or why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from analytics.breaker import Breaker, State

Check = Callable[[], str | None]
"""What is wrong with one part of the program; None when nothing is."""


class Health:
    """The checks, what is degraded, and whether the server is on its way out."""

    def __init__(self, checks: Mapping[str, Check], breakers: Sequence[Breaker] = ()) -> None:
        self._checks = checks
        self._breakers = breakers
        self.draining = False

    def routes(self) -> list[BaseRoute]:
        """The routes of both."""
        return [Route("/health/live", self._live), Route("/health/ready", self._ready)]

    def faults(self) -> Mapping[str, str]:
        """What is wrong, by the part that it is wrong with; nothing while it is ready."""
        faults = {name: fault for name, check in self._checks.items() if (fault := check())}
        if self.draining:
            faults["server"] = "it is stopping"
        return faults

    async def _live(self, _request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def _ready(self, _request: Request) -> Response:
        faults = self.faults()
        body = {
            "status": "unready" if faults else "ready",
            "checks": {name: faults.get(name, "ok") for name in (*self._checks, *faults)},
            # These have an answer of their own while they are away, so they make nothing unready.
            "degraded": {
                breaker.backend: breaker.degraded
                for breaker in self._breakers
                if breaker.state is not State.CLOSED
            },
        }
        headers = {"retry-after": "5"} if faults else {}
        return JSONResponse(body, 503 if faults else 200, headers)
