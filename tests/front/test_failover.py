"""Whoever dies in front or behind, visitors go on, and nothing that was acknowledged is lost."""

from __future__ import annotations

import itertools

import pytest
from tests.front.conftest import Front
from tests.front.load import Load, now

pytestmark = [pytest.mark.front, pytest.mark.drill, pytest.mark.timeout(600)]


async def test_a_replica_that_is_killed_costs_no_request(front: Front) -> None:
    async with Load(front.topology) as load:
        await load.goes_on()
        for number, replica in enumerate(front.replicas, 1):
            await replica.kill()
            print(f"replica-{number} killed after {len(load.answers)} answers")
            await load.goes_on()
            await replica.start()
            for balancer in front.balancers.values():
                await balancer.haproxy.sees(replica_1="UP", replica_2="UP")
            await load.goes_on()
    print(f"{len(load.answers)} answers; slowest {slowest(load):.3f} s")
    assert load.failed == []
    assert load.acked <= await front.stored()


async def test_a_rolling_restart_costs_no_request(front: Front) -> None:
    async with Load(front.topology) as load:
        await load.goes_on()
        for number, replica in enumerate(front.replicas, 1):
            await replica.stop()
            print(f"replica-{number} stopped after {len(load.answers)} answers")
            await load.goes_on(50)
            await replica.start()
            for balancer in front.balancers.values():
                await balancer.haproxy.sees(replica_1="UP", replica_2="UP")
            await load.goes_on(50)
    print(f"{len(load.answers)} answers; slowest {slowest(load):.3f} s")
    assert load.failed == []
    assert load.acked <= await front.stored()


async def test_the_other_balancer_takes_over_from_a_haproxy_that_is_killed(front: Front) -> None:
    first = front.active
    other = front.other(first)
    async with Load(front.topology) as load:
        await load.goes_on()
        killed = now()
        first.haproxy.kill()
        await other.keepalived.enters("MASTER", 1)
        moved = now()
        await report("haproxy", load, killed, moved)

        await first.haproxy.start()
        await first.keepalived.enters("BACKUP", 2)
        await load.goes_on(600)
    assert front.active is other, "a balancer that comes back leaves the address where it is"
    assert masters(front) == (1, 1), transitions(front)
    only_open_connections_failed(load, killed, moved)
    assert load.acked <= await front.stored()


async def test_the_other_balancer_takes_over_from_a_keepalived_that_is_killed(
    front: Front,
) -> None:
    first = front.active
    other = front.other(first)
    async with Load(front.topology) as load:
        await load.goes_on()
        killed = now()
        first.keepalived.kill()
        await other.keepalived.enters("MASTER", 1)
        moved = now()
        await report("keepalived", load, killed, moved)
        # Nobody took the address from the first: visitors must be with the second nevertheless.
        assert front.topology.holds(first.role)
        await load.goes_on(600)

        await first.keepalived.start()
        await load.goes_on(600)
    assert front.active is other
    assert masters(front) == (1, 1), transitions(front)
    only_open_connections_failed(load, killed, moved)
    assert load.acked <= await front.stored()


def masters(front: Front) -> tuple[int, ...]:
    """How often each balancer has taken the address."""
    return tuple(each.keepalived.entered("MASTER") for each in front.balancers.values())


def transitions(front: Front) -> str:
    """What both Keepaliveds say, without their announcements."""
    lines = [
        f"{role} {line}"
        for role, each in front.balancers.items()
        for line in each.keepalived.log().splitlines()
        if "gratuitous ARP" not in line
    ]
    return "\n".join(lines)


async def report(who: str, load: Load, killed: float, moved: float) -> None:
    """Print what was measured: how long, and what it cost."""
    back = await load.answered_since(moved)
    await load.goes_on()
    print(
        f"{who} killed: the address moved after {moved - killed:.3f} s, the first answer to a "
        f"later request came {back.ended - killed:.3f} s after the kill; {len(load.failed)} of "
        f"{len(load.answers)} requests were lost; slowest {slowest(load):.3f} s; "
        f"longest silence {silence(load):.3f} s"
    )


def slowest(load: Load) -> float:
    return max(answer.ended - answer.began for answer in load.answers)


def silence(load: Load) -> float:
    """The longest time between two answers of 202."""
    ends = sorted(answer.ended for answer in load.answers if not answer.failed)
    return max(after - before for before, after in itertools.pairwise(ends))


def only_open_connections_failed(load: Load, killed: float, moved: float) -> None:
    """What was lost was under way on a connection of before the move, and after the kill."""
    assert [each for each in load.failed if each.connected > moved or each.ended < killed] == []
