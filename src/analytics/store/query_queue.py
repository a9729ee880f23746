"""A fair queue: queries wait for a thread, and parties take turns.

Parties are served round-robin. A turn lasts until a party has no query left, or has used the
threads for half a second; then the next party has its turn. So an ordinary page is answered in one
turn, and a party with many queries does not delay the others for long. A query is refused only if
its request has waited for its bounded time and none of its queries has started.
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
    """Do nothing: the step cannot be stopped."""


class _PartyQueue:
    """The waiting queries of one party, in order."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.used_s = 0.0
        """How long its queries have taken in this turn."""


class QueryQueue:
    """Runs functions in a number of threads, on behalf of the current `Caller`."""

    def __init__(self, name: str, threads: int, *, patience_s: float, turn_s: float = _TURN_S):
        self._pool = ThreadPoolExecutor(threads, name, initializer=lower_priority)
        self._free = threads
        self._patience_s = patience_s
        self._turn_s = turn_s
        self._lines: OrderedDict[Hashable, _PartyQueue] = OrderedDict()

    async def run(self, step: Callable[[], T], *, stop: Callable[[], None] = nothing) -> T:
        """Run *step* in its caller's turn; call *stop* if the client disconnects in the meantime.

        Raise `Busy` if the caller has waited too long, `ReaderLeft` if the client disconnected
        before the start, `StoreUnavailable` if the queue is closed.
        """
        loop = asyncio.get_running_loop()
        client = caller.current() or Caller(None)
        await self._turn(client)
        began = loop.time()
        try:
            work = self._pool.submit(step)
        except RuntimeError as exc:  # the pool was shut down
            self._leave(client.party, began)
            raise StoreUnavailable("The store is closed.") from exc
        leave = partial(self._leave, client.party, began)

        def ended(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed, so nothing waits for the thread
                loop.call_soon_threadsafe(leave)

        # A thread is busy until its step ends, even if the caller no longer waits.
        work.add_done_callback(ended)
        answer = asyncio.wrap_future(work)
        try:
            if (leaving := client.leaving()) is not None:
                either: set[asyncio.Future[object]] = {answer, leaving}  # type: ignore[arg-type]  # sets are invariant
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not answer.done():
                    stop()
            return await answer
        except asyncio.CancelledError:
            stop()
            answer.cancel()  # its outcome is not needed any more
            raise

    def close(self) -> None:
        """Finish running steps, and refuse new ones."""
        self._pool.shutdown()

    async def _turn(self, client: Caller) -> None:
        """Return when a thread is free for *client*."""
        loop = asyncio.get_running_loop()
        if client.asked_at is None:
            client.asked_at = loop.time()
        line = self._lines.setdefault(client.party, _PartyQueue())
        turn = loop.create_future()
        line.waiting.append(turn)
        self._dispatch()
        try:
            await self._wait(client, turn)
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._leave(client.party, loop.time())
            else:
                turn.cancel()  # `_dispatch` skips it
            raise
        client.let_in = True

    async def _wait(self, client: Caller, turn: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        until = (client.asked_at or 0.0) + self._patience_s
        while not turn.done():
            leaving = client.leaving()
            await asyncio.wait(
                {turn} if leaving is None else {turn, leaving},
                timeout=None if client.let_in else max(0.0, until - loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if turn.done():
                return
            if leaving is not None and leaving.done():
                raise ReaderLeft("The reader went away before the question was answered.")
            if not client.let_in and loop.time() >= until:
                client.asked_at = None  # its later queries have the whole time again
                raise Busy(
                    f"Other questions were ahead for {self._patience_s:g} s, and this one was not"
                    " begun. Ask again in a moment; where that happens often, raise"
                    " store.queue_timeout_s, or give the server more processors.",
                    retry_after=max(1.0, self._patience_s / 2),
                )

    def _leave(self, party: Hashable, began: float) -> None:
        """Release a thread that *party* has used since *began*."""
        self._free += 1
        if (line := self._lines.get(party)) is not None:
            line.used_s += asyncio.get_running_loop().time() - began
        self._dispatch()

    def _dispatch(self) -> None:
        """Give free threads to the parties whose turn it is."""
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
