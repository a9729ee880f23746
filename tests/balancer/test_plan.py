"""The plan takes nobody away who is needed, and is done when there is nothing to do."""

from __future__ import annotations

import pytest

from analytics.balancer.plan import Action, Step, is_address, name_of, steps
from analytics.balancer.runtime import BackendServer, ServerState
from analytics.registry.base import Replica

A, B, C = "10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000"


def replica(address: str, *modules: str) -> Replica:
    return Replica(address=address, modules=modules or ("ingest",), version="1", started_at=1)


def server(
    address: str, state: ServerState = ServerState.READY, *, up: bool = True, connections: int = 0
) -> BackendServer:
    return BackendServer(
        backend="ingest",
        name=name_of(address),
        address=address,
        state=state,
        up=up,
        connections=connections,
    )


def planned(
    replicas: list[Replica],
    servers: list[BackendServer],
    *,
    patient: bool = False,
    overdue: frozenset[str] = frozenset(),
    found: dict[str, str] | None = None,
) -> list[tuple[Action, str]]:
    there = {"ingest": {each.name: each for each in servers}}
    if found is None:
        found = {each.address: each.address for each in replicas}
    todo = steps(replicas, found, there, patient=patient, overdue=overdue)
    return [(step.action, step.address) for step in todo]


def test_what_is_equal_needs_nothing() -> None:
    assert planned([replica(A), replica(B)], [server(A), server(B)]) == []


def test_a_replica_is_added_to_the_backends_of_its_modules() -> None:
    todo = steps(
        [replica(A, "ingest", "admin", "unknown")],
        {A: A},
        {"ingest": {}, "dashboard": {}, "admin": {}},
        patient=False,
        overdue=frozenset(),
    )
    name = "discovered-10.0.0.1:8000"
    assert [*todo] == [
        Step(Action.ADD, "ingest", name, A),
        Step(Action.ADD, "admin", name, A),
    ]


@pytest.mark.parametrize("state", [ServerState.DRAIN, ServerState.MAINTENANCE])
def test_who_is_back_is_given_work_again(state: ServerState) -> None:
    assert planned([replica(A)], [server(A, state)]) == [(Action.READY, A)]


def test_who_has_moved_is_followed() -> None:
    name = "replica-1.internal:8000"
    there = BackendServer(
        backend="ingest",
        name=name_of(name),
        address=A,
        state=ServerState.READY,
        up=True,
        connections=0,
    )
    assert planned([replica(name)], [there], found={name: B}) == [(Action.MOVE, B)]
    assert planned([replica(name)], [there], found={}) == []


def test_who_left_is_drained_and_then_removed() -> None:
    left = [replica(A)]
    assert planned(left, [server(A), server(B)]) == [(Action.DRAIN, B)]
    assert planned(left, [server(A), server(B, ServerState.DRAIN, connections=1)]) == []
    assert planned(left, [server(A), server(B, ServerState.DRAIN)]) == [(Action.REMOVE, B)]


def test_who_does_not_finish_in_time_is_removed_too() -> None:
    slow = server(B, ServerState.DRAIN, connections=1)
    gone = planned([replica(A)], [server(A), slow], overdue=frozenset({slow.path}))
    assert gone == [(Action.REMOVE, B)]


def test_an_empty_list_takes_nobody_away_who_works() -> None:
    assert planned([], [server(A), server(B, up=False)]) == [(Action.DRAIN, B)]


def test_while_patient_only_who_does_not_work_is_taken_away() -> None:
    there = [server(A), server(B), server(C, up=False)]
    assert planned([replica(A)], there, patient=True) == [(Action.DRAIN, C)]


def test_the_last_that_works_stays_until_another_does() -> None:
    assert planned([replica(B)], [server(A)]) == [(Action.ADD, B)]
    assert planned([replica(B)], [server(A), server(B, up=False)]) == []
    assert planned([replica(B)], [server(A), server(B)]) == [(Action.DRAIN, A)]


def test_servers_that_others_made_are_left_alone() -> None:
    by_hand = BackendServer(
        backend="ingest", name="by-hand", address=B, state=ServerState.DRAIN, up=True, connections=0
    )
    assert planned([replica(A)], [server(A), by_hand]) == []


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        (A, True),
        ("replica_1.internal:8000", True),
        ("[2001:db8::1]:8000", True),
        ("10.0.0.1", False),
        ("10.0.0.1:8000 check;shutdown frontend front", False),
        ("10.0.0.1:8000\n", False),
        (":8000", False),
    ],
)
def test_no_command_hides_in_an_address(address: str, fine: bool) -> None:
    assert is_address(address) is fine
