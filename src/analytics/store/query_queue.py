"""The waiting room: questions wait for a thread, and every party gets its turn.

Parties stand in a line. A turn lasts until a party has nothing left to ask, or has used the
threads for half a second; then the next one has its turn. So an ordinary page is answered as a
whole, and whoever asks for much more than that holds nobody up for long. A question is refused
only when its request has waited for its bounded time and nothing of it has begun.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from analytics import caller
from analytics.caller import Caller
from analytics.cpu_thread import lower_priority
from analytics.errors import Busy, ReaderLeft, StoreUnavailable

T = TypeVar("T")

_TURN_S: Final = 0.5


def nothing() -> None:
    """Let the work go on: it cannot be stopped."""


class _PartyQueue:
    """The questions of one party, in their order."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.used_s = 0.0
        """How long its questions have taken in this turn."""


class QueryQueue:
    """Runs functions in a number of threads, for the guest that asks."""

    def __init__(self, name: str, threads: int, *, patience_s: float, turn_s: float = _TURN_S):
        self._pool = ThreadPoolExecutor(threads, name, initializer=lower_priority)
        self._free = threads
        self._patience_s = patience_s
        self._turn_s = turn_s
        self._lines: OrderedDict[Hashable, _PartyQueue] = OrderedDict()

    async def run(self, step: Callable[[], T], *, stop: Callable[[], None] = nothing) -> T:
        """Run *step* when it is its guest's turn; call *stop* when the guest leaves meanwhile.

        Raises `Busy` when the guest has waited too long, `ReaderLeft` when nobody is there to be
        answered, `StoreUnavailable` when it is closed.
        """
        loop = asyncio.get_running_loop()
        asking = caller.current() or Caller(None)
        await self._turn(asking)
        began = loop.time()
        try:
            work = self._pool.submit(step)
        except RuntimeError as exc:  # the pool was shut down
            self._leave(asking.party, began)
            raise StoreUnavailable("The store is closed.") from exc
        leave = partial(self._leave, asking.party, began)

        def ended(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(leave)

        # A thread is busy until its work ends, whoever has given up waiting for that.
        work.add_done_callback(ended)
        answer = asyncio.wrap_future(work)
        try:
            if (leaving := asking.leaving()) is not None:
                either: set[asyncio.Future[object]] = {answer, leaving}  # type: ignore[arg-type]  # sets are invariant
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not answer.done():
                    stop()
            return await answer
        except asyncio.CancelledError:
            stop()
            answer.cancel()  # nobody is there to be told what becomes of it
            raise

    def close(self) -> None:
        """Finish what runs, and refuse what comes."""
        self._pool.shutdown()

    async def _turn(self, asking: Caller) -> None:
        """Return when a thread is there for *asking*."""
        loop = asyncio.get_running_loop()
        if asking.asked_at is None:
            asking.asked_at = loop.time()
        line = self._lines.setdefault(asking.party, _PartyQueue())
        turn = loop.create_future()
        line.waiting.append(turn)
        self._dispatch()
        try:
            await self._wait(asking, turn)
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._leave(asking.party, loop.time())
            else:
                turn.cancel()  # whoever dispatches passes it over
            raise
        asking.let_in = True

    async def _wait(self, asking: Caller, turn: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        until = (asking.asked_at or 0.0) + self._patience_s
        while not turn.done():
            leaving = asking.leaving()
            await asyncio.wait(
                {turn} if leaving is None else {turn, leaving},
                timeout=None if asking.let_in else max(0.0, until - loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if turn.done():
                return
            if leaving is not None and leaving.done():
                raise ReaderLeft("The reader went away before the question was answered.")
            if not asking.let_in and loop.time() >= until:
                asking.asked_at = None  # what it asks later waits anew
                raise Busy(
                    f"Other questions were ahead for {self._patience_s:g} s, and this one was not"
                    " begun. Ask again in a moment; where that happens often, raise"
                    " store.queue_timeout_s, or give the server more processors.",
                    retry_after=max(1.0, self._patience_s / 2),
                )

    def _leave(self, party: Hashable, began: float) -> None:
        """A thread has become free, which *party* had since *began*."""
        self._free += 1
        if (line := self._lines.get(party)) is not None:
            line.used_s += asyncio.get_running_loop().time() - began
        self._dispatch()

    def _dispatch(self) -> None:
        """Give free threads to those whose turn it is."""
        while self._free and self._lines:
            party, line = next(iter(self._lines.items()))
            while line.waiting and line.waiting[0].done():
                line.waiting.popleft()  # given up
            if not line.waiting:
                del self._lines[party]
            elif line.used_s > self._turn_s and len(self._lines) > 1:
                line.used_s = 0.0
                self._lines.move_to_end(party)
            else:
                line.waiting.popleft().set_result(None)
                self._free -= 1
