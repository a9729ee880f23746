"""Serves `/health/live`, which shows that the process answers, and `/health/ready`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NotRequired, TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from analytics.api_operation import JSON, ApiAnswer, ApiOperation, ApiRoute
from analytics.background import LoopHealth, LoopState, is_unavailable
from analytics.breaker import Breaker, BreakerState

Check = Callable[[], str | None]
"""Returns the fault of one part of the program, or None."""


class Liveness(TypedDict):
    """The process answers."""

    status: Literal["live"]


class Readiness(TypedDict):
    """Whether the server can do its work."""

    status: Literal["ready", "unready"]
    checks: Mapping[str, str]
    """`ok`, or what is wrong, by the part of the server."""
    degraded: Mapping[str, str]
    """How the server makes do without a part that is away."""
    background: NotRequired[Mapping[str, LoopHealth]]


LIVE: Final = ApiOperation(
    summary="Whether the process answers",
    group="Server",
    answers=(ApiAnswer("It does.", {JSON: Liveness}),),
)
READY: Final = ApiOperation(
    summary="Whether the server can do its work, and why not",
    group="Server",
    answers=(
        ApiAnswer("It can.", {JSON: Readiness}),
        ApiAnswer(
            "It cannot.",
            {JSON: Readiness},
            503,
            {"retry-after": "after how many seconds to try again"},
        ),
    ),
)


class Health:
    """The readiness checks, what is degraded, and whether the server is stopping.

    The answers are public: errors of checks and of essential loops are shown in full, of other
    loops only their kind.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        breakers: Sequence[Breaker] = (),
        loops: Sequence[LoopState] = (),
    ) -> None:
        self._checks = checks
        self._breakers = breakers
        self._loops = loops
        self.draining = False

    def routes(self) -> list[BaseRoute]:
        """Return the routes of both."""
        return [
            ApiRoute("GET", "/health/live", self._live, LIVE),
            ApiRoute("GET", "/health/ready", self._ready, READY),
        ]

    def faults(self) -> Mapping[str, str]:
        """Return the faults by the part that has them; none while the server is ready."""
        faults = {name: fault for name, check in self._checks.items() if (fault := check())}
        faults |= {loop.name: loop.fault for loop in self._loops if loop.essential and loop.fault}
        if self.draining:
            faults["server"] = "it is stopping"
        return faults

    async def _live(self, _request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def _ready(self, _request: Request) -> Response:
        faults = self.faults()
        essential = [loop.name for loop in self._loops if loop.essential]
        # Degraded answers exist for these, so they make nothing unready.
        degraded = {
            breaker.backend: breaker.degraded
            for breaker in self._breakers
            if breaker.state is not BreakerState.CLOSED
        }
        explained = bool(degraded)
        degraded |= {
            loop.name: loop.meanwhile
            for loop in self._loops
            if loop.error is not None
            and not loop.essential
            # For an open breaker, its own line says what that means.
            and not (explained and is_unavailable(loop.error))
        }
        body: Readiness = {
            "status": "unready" if faults else "ready",
            "checks": {
                name: faults.get(name, "ok") for name in (*self._checks, *essential, *faults)
            },
            "degraded": degraded,
        }
        if self._loops:
            body["background"] = {loop.name: loop.shown() for loop in self._loops}
        headers = {"retry-after": "5"} if faults else {}
        return JSONResponse(body, 503 if faults else 200, headers)
