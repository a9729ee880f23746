"""More than can be done: the excess is refused soon, in words; nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.front.conftest import Front
from tests.front.load import Answer, Load, now
from tests.front.topology import CLIENTS

SECONDS: Final = float(os.environ.get("FRONT_OVERLOAD_S", "15"))
"""How long it lasts; 60 for the full drill."""
SHARE: Final = 0.02
"""Of a processor for each replica, so that one machine can send more than another could do."""
HAPROXY_MB: Final = 8000 * 2 * 32 / 1024 + 100
"""What haproxy.cfg allows: two buffers for each of its connections, and what it has at rest."""
REPLICA_GROWTH_MB: Final = 400

pytestmark = [pytest.mark.front, pytest.mark.drill, pytest.mark.timeout(600)]


async def test_four_times_what_can_be_done_is_survived(front: Front) -> None:
    pids = [each.pid for each in front.replicas]
    before = [resident_mb(pid) for pid in pids]
    with throttled(pids):
        capacity = await measured(front)
        async with watched([*pids, *front.active.haproxy.workers]) as memory:
            # A quarter more than four times: visitors who wait for an answer send less meanwhile.
            rate = 5 * capacity
            # So many that each can wait for as long as HAProxy lets it, and the others still come.
            load = Load(front.topology, rate=rate, visitors=min(4000, int(rate * 4)))
            load.sources = CLIENTS
            async with load:
                await asyncio.sleep(SECONDS)
        ended = now()
        async with Load(front.topology, rate=capacity / 4) as after:
            first = await after.answered_since(ended)
            await after.goes_on(100)
    refused = load.failed
    print(
        f"{capacity:.0f}/s can be done; {len(load.answers) / SECONDS:.0f}/s were asked for, "
        f"{len(load.answers) / SECONDS / capacity:.1f} times as much, {SECONDS:.0f} s long "
        f"by {load.visitors} visitors: {len(load.acked) / SECONDS:.0f}/s "
        f"acknowledged, refused {dict(Counter(each.status or each.error for each in refused))} "
        f"after {times(refused)}; "
        f"answered after {times([each for each in load.answers if not each.failed])}; memory of "
        f"the replicas {before} → {memory[:2]} MB, of HAProxy {memory[2:]} MB; "
        f"the first answer {first.ended - ended:.2f} s after the end"
    )
    assert refused, "it was no overload"
    assert {each.status for each in refused} <= {429, 503}
    assert [each for each in refused if each.retry_after is None] == []
    assert after.failed == []
    assert all(
        most - least < REPLICA_GROWTH_MB for least, most in zip(before, memory, strict=False)
    )
    assert sum(memory[2:]) < HAPROXY_MB
    assert load.acked <= await front.stored()


async def test_one_address_that_floods_is_refused_and_nobody_else_notices(front: Front) -> None:
    flood = Load(front.topology, rate=800, visitors=60, sources=CLIENTS[-1:])
    async with Load(front.topology) as load, flood:
        await load.goes_on(300)
        while not any(answer.status == 429 for answer in flood.answers):
            await load.goes_on(50)
        await load.goes_on(500)
    refused = flood.failed
    print(f"{len(refused)} of {len(flood.answers)} refused, after {times(refused)}")
    assert load.failed == []
    assert {answer.status for answer in refused} == {429}
    assert {answer.retry_after for answer in refused} <= {"1", "10"}
    assert load.acked | flood.acked <= await front.stored()


async def measured(front: Front) -> float:
    """Events a second that are acknowledged when visitors ask as fast as they are answered."""
    async with Load(front.topology, rate=100_000, visitors=300) as load:
        await load.goes_on(500)
        began, already = now(), len(load.acked)
        await asyncio.sleep(4)
        return (len(load.acked) - already) / (now() - began)


@contextmanager
def throttled(pids: Sequence[int]) -> Iterator[None]:
    """While the block runs, *pids* have their share of a processor."""
    program = Path(__file__).with_name("throttle.py")
    command = [sys.executable, str(program), str(SHARE), *map(str, pids)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


@asynccontextmanager
async def watched(pids: Sequence[int]) -> AsyncIterator[list[float]]:
    """The most memory that each of *pids* has while the block runs, in megabytes."""
    most = [resident_mb(pid) for pid in pids]

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.25)
            most[:] = [max(seen, resident_mb(pid)) for seen, pid in zip(most, pids, strict=True)]

    watching = asyncio.create_task(watch())
    try:
        yield most
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def times(answers: Sequence[Answer]) -> str:
    """How long *answers* took."""
    took = sorted(answer.ended - answer.began for answer in answers)
    if not took:
        return "-"
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return f"{p50:.3f} s (p50), {p99:.3f} s (p99), {took[-1]:.3f} s (max)"
