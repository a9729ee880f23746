"""Alive is one thing, able to work another."""

from __future__ import annotations

import httpx2

from analytics.background import LoopState
from analytics.breaker import Breaker
from analytics.errors import StoreUnavailable
from analytics.gateway.gate import Gate
from analytics.gateway.health import Health
from analytics.module import Module


async def asked(health: Health, path: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(
        Gate([Module(name="gateway", routes=health.routes())], ["gateway"])
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://h.example") as client:
        return await client.get(path)


async def test_it_is_ready_when_nothing_is_wrong() -> None:
    answer = await asked(Health({"journal": lambda: None, "store": lambda: None}), "/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"journal": "ok", "store": "ok"},
        "degraded": {},
    }
    assert "retry-after" not in answer.headers


async def test_what_is_wrong_is_said_and_the_rest_is_ok() -> None:
    health = Health({"journal": lambda: "the disk is full", "store": lambda: None})
    answer = await asked(health, "/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unready",
        "checks": {"journal": "the disk is full", "store": "ok"},
        "degraded": {},
    }
    assert answer.headers["retry-after"] == "5"


async def test_it_is_ready_again_when_the_fault_is_gone() -> None:
    faults: list[str | None] = ["full"]
    health = Health({"journal": lambda: faults[-1]})
    assert (await asked(health, "/health/ready")).status_code == 503
    faults.append(None)
    assert (await asked(health, "/health/ready")).status_code == 200


async def test_what_has_a_degraded_answer_is_named_and_makes_nothing_unready() -> None:
    kafka, geo = Breaker("kafka", "Hits are spooled."), Breaker("geo", "No places.")
    kafka.trip("10.0.0.7 refused")
    answer = await asked(Health({"log": lambda: None}, [kafka, geo]), "/health/ready")
    assert answer.status_code == 200
    assert answer.json()["degraded"] == {"kafka": "Hits are spooled."}
    assert "10.0.0.7" not in answer.text, "what is wrong inside is for the log and the owner"


async def test_who_stops_is_not_ready_and_still_alive() -> None:
    health = Health({})
    health.draining = True
    answer = await asked(health, "/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"server": "it is stopping"}
    assert (await asked(health, "/health/live")).json() == {"status": "live"}


def failing(name: str, error: Exception, *, essential: bool = False) -> LoopState:
    state = LoopState(name, meanwhile=f"No {name}.", essential=essential)
    state.failed(error)
    return state


async def test_a_loop_that_fails_makes_a_server_degraded_or_unready_by_what_it_is_for() -> None:
    states = [
        failing("retention", OverflowError("10.0.0.7")),
        failing("follower", StoreUnavailable("10.0.0.7")),
    ]
    answer = await asked(Health({"log": lambda: None}, loops=states), "/health/ready")
    assert answer.status_code == 200
    assert answer.json()["degraded"] == {"retention": "No retention.", "follower": "No follower."}
    assert answer.json()["background"]["retention"] == {
        "last_success": None,
        "failures_in_a_row": 1,
        "error": "OverflowError",
    }
    assert "10.0.0.7" not in answer.text
    states.append(failing("projector", StoreUnavailable("no room"), essential=True))
    answer = await asked(Health({"log": lambda: None}, loops=states), "/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"log": "ok", "projector": "no room"}
    states[-1].succeeded()
    answer = await asked(Health({"log": lambda: None}, loops=states), "/health/ready")
    assert (answer.status_code, answer.json()["checks"]["projector"]) == (200, "ok")


async def test_what_a_backend_that_is_away_explains_is_not_said_twice() -> None:
    ignite = Breaker("ignite", "Figures are old.")
    ignite.trip("it refused")
    away = StoreUnavailable("away")
    states = [
        failing("follower", away),
        failing("retention", ExceptionGroup("2 of 3 sites", [away, away])),
        failing("catalog", ExceptionGroup("2 of 3 sites", [away, KeyError("x")])),
        failing("cells", ValueError("x")),
    ]
    answer = await asked(Health({}, [ignite], states), "/health/ready")
    assert answer.json()["degraded"].keys() == {"ignite", "catalog", "cells"}
    assert answer.json()["background"]["follower"]["error"] == "store_unavailable"
