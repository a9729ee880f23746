"""A fair queue: queries wait for a thread, and parties take turns.

Parties are served round-robin. A turn lasts until a party has no query left, or has used the
threads for half a second; then the next party has its turn. So an ordinary page is answered in one
turn, and a party with many queries does not delay the others for long. A query is refused only if
its request has waited for its bounded time and none of its queries has started.

Parties that are known (a person who is logged in, a key, the server itself) come before anonymous
ones: however many strangers look at a public report, the site's people see theirs. While both wait,
every fifth turn is an anonymous party's, so that none of them waits for ever. A known party goes
ahead once between two of those turns: one that asks without end has no more turns than strangers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from analytics import caller
from analytics.caller import Caller, Party
from analytics.cpu_thread import lower_priority
from analytics.errors import Busy, ReaderLeft, StoreUnavailable

T = TypeVar("T")

_TURN_S: Final = 0.5
_KNOWN_AHEAD: Final = 4
"""Turns of known parties between two of anonymous ones, while both wait."""


def nothing() -> None:
    """Do nothing: the step cannot be stopped."""


class _PartyQueue:
    """The waiting queries of one party, in order."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.used_s = 0.0
        """How long its queries have taken in this turn."""


_Lane = OrderedDict[Party, _PartyQueue]
"""Parties that take turns, the next one first."""
_SERVER: Final = Party(None, known=True)
"""Asks what the server needs for itself."""


class QueryQueue:
    """Runs functions in a number of threads, on behalf of the current `Caller`."""

    def __init__(self, name: str, threads: int, *, patience_s: float, turn_s: float = _TURN_S):
        self._pool = ThreadPoolExecutor(threads, name, initializer=lower_priority)
        self._free = threads
        self._patience_s = patience_s
        self._turn_s = turn_s
        self._known: _Lane = OrderedDict()
        self._anonymous: _Lane = OrderedDict()
        self._turn_of: Party | None = None
        """The party whose turn it is."""
        self._went_ahead: set[Party] = set()
        """The known parties that had a turn since the last one of an anonymous party."""

    async def run(self, step: Callable[[], T], *, stop: Callable[[], None] = nothing) -> T:
        """Run *step* in its caller's turn; call *stop* if the client disconnects in the meantime.

        Raise `Busy` if the caller has waited too long, `ReaderLeft` if the client disconnected
        before the start, `StoreUnavailable` if the queue is closed.
        """
        loop = asyncio.get_running_loop()
        client = caller.current() or Caller(_SERVER)
        await self._turn(client)
        began = loop.time()
        try:
            work = self._pool.submit(step)
        except RuntimeError as exc:  # the pool was shut down
            self._leave(client, began)
            raise StoreUnavailable("The store is closed.") from exc
        leave = partial(self._leave, client, began)

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
        line = self._lane(client).setdefault(client.party, _PartyQueue())
        turn = loop.create_future()
        line.waiting.append(turn)
        self._dispatch()
        try:
            await self._wait(client, turn)
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._leave(client, loop.time())
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

    def _lane(self, client: Caller) -> _Lane:
        return self._known if client.party.known else self._anonymous

    def _leave(self, client: Caller, began: float) -> None:
        """Release a thread that *client* has used since *began*."""
        self._free += 1
        if (line := self._lane(client).get(client.party)) is not None:
            line.used_s += asyncio.get_running_loop().time() - began
        self._dispatch()

    def _dispatch(self) -> None:
        """Give free threads to the parties whose turn it is."""
        while self._free and (lane := self._next_lane()):
            party, line = next(iter(lane.items()))
            while line.waiting and line.waiting[0].done():
                line.waiting.popleft()  # given up
            if not line.waiting:
                del lane[party]
                self._turn_of = None
            elif line.used_s > self._turn_s and len(self._known) + len(self._anonymous) > 1:
                line.used_s = 0.0
                lane.move_to_end(party)
                self._turn_of = None
            else:
                self._begin_turn(lane, party)
                line.waiting.popleft().set_result(None)
                self._free -= 1

    def _next_lane(self) -> _Lane:
        """Return the lane whose first party is next; an empty one if nobody waits."""
        if not (self._known and self._anonymous):
            return self._known or self._anonymous
        for lane in (self._known, self._anonymous):
            if next(iter(lane)) == self._turn_of:
                return lane
        if len(self._went_ahead) < _KNOWN_AHEAD:
            for party in self._known:
                if party not in self._went_ahead:
                    self._known.move_to_end(party, last=False)
                    return self._known
        return self._anonymous

    def _begin_turn(self, lane: _Lane, party: Party) -> None:
        """Count a turn of *party*, unless it is in the middle of one."""
        if party == self._turn_of:
            return
        self._turn_of = party
        if lane is self._known and self._anonymous:
            self._went_ahead.add(party)
        else:
            self._went_ahead.clear()
