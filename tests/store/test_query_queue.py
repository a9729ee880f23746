"""Questions wait for their turn, party by party, and are refused only when that lasts too long."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator

import pytest

from analytics import caller
from analytics.caller import Caller, Party
from analytics.errors import Busy, ReaderLeft, StoreUnavailable
from analytics.store.query_queue import QueryQueue


class Crowd:
    """A room of one thread, and who had it in which order."""

    def __init__(self, *, patience_s: float = 60, turn_s: float = 0.5) -> None:
        self.room = QueryQueue("reader", 1, patience_s=patience_s, turn_s=turn_s)
        self.door = threading.Event()
        self.order: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def block(self) -> None:
        """Return when the only thread is busy until the door opens."""
        begun = threading.Event()

        def busy() -> None:
            begun.set()
            self.door.wait()

        self.tasks.append(asyncio.create_task(self.room.run(busy)))
        await asyncio.to_thread(begun.wait)

    def ask(self, asking: Caller, name: str, step: Callable[[], None] = lambda: None) -> None:
        """Let *asking* ask one question, which notes its *name* when it runs."""

        def noted() -> None:
            self.order.append(name)
            step()

        with caller.on_behalf_of(asking):
            self.tasks.append(asyncio.create_task(self.room.run(noted)))

    async def outcomes(self) -> list[BaseException | None]:
        """Open the door, and wait for everybody."""
        await asyncio.sleep(0)
        self.door.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd()
    yield made
    made.door.set()
    made.room.close()


async def test_a_hundred_questions_wait_and_all_are_answered(crowd: Crowd) -> None:
    await crowd.block()
    for number in range(100):
        crowd.ask(Caller(Party(number)), str(number))
    assert await crowd.outcomes() == [None] * 101
    assert crowd.order == [str(number) for number in range(100)]


async def test_a_page_is_answered_as_a_whole_before_the_next_one_begins(crowd: Crowd) -> None:
    await crowd.block()
    first, second = Caller(Party("first")), Caller(Party("second"))
    for number in range(3):
        crowd.ask(first, f"first {number}")
        crowd.ask(second, f"second {number}")
    await crowd.outcomes()
    assert [name.partition(" ")[0] for name in crowd.order] == ["first"] * 3 + ["second"] * 3


async def test_who_asks_much_lets_others_go_ahead_after_a_while() -> None:
    crowd = Crowd(turn_s=0.0)  # any time that was used is enough
    await crowd.block()
    big, small = Caller(Party("big")), Caller(Party("small"))
    for number in range(5):
        crowd.ask(big, f"big {number}")
    crowd.ask(small, "small")
    await crowd.outcomes()
    assert crowd.order.index("small") <= 1
    assert len(crowd.order) == 6
    crowd.room.close()


async def test_all_requests_of_one_party_have_one_turn_together() -> None:
    crowd = Crowd(turn_s=0.0)
    await crowd.block()
    for number in range(5):
        crowd.ask(Caller(Party("one browser")), f"many {number}")
    crowd.ask(Caller(Party("another")), "one")
    await crowd.outcomes()
    assert crowd.order.index("one") <= 1
    crowd.room.close()


async def test_who_has_waited_too_long_is_told_when_to_come_back() -> None:
    crowd = Crowd(patience_s=0.05)
    await crowd.block()
    crowd.ask(Caller(Party("late")), "never")
    with pytest.raises(Busy, match=r"store\.queue_timeout_s") as refused:
        await crowd.tasks[-1]
    assert refused.value.status == 503
    assert refused.value.retry_after >= 1
    await crowd.outcomes()
    assert crowd.order == []
    crowd.room.close()


async def test_a_page_that_was_let_in_is_never_refused_halfway() -> None:
    crowd = Crowd(patience_s=0.05)
    page, door = Caller(Party("page")), threading.Event()
    crowd.ask(page, "first", lambda: door.wait() and None)
    crowd.ask(page, "second")
    await asyncio.sleep(0.2)  # longer than anybody waits for the beginning
    door.set()
    assert await crowd.outcomes() == [None, None]
    crowd.room.close()


async def test_the_question_of_somebody_who_has_left_is_never_run(crowd: Crowd) -> None:
    await crowd.block()
    gone = asyncio.Event()

    async def left() -> None:
        await gone.wait()

    crowd.ask(Caller(Party("gone"), left), "never")
    crowd.ask(Caller(Party("there")), "answered")
    await asyncio.sleep(0)
    gone.set()
    assert isinstance(
        (await asyncio.gather(crowd.tasks[-2], return_exceptions=True))[0], ReaderLeft
    )
    await crowd.outcomes()
    assert crowd.order == ["answered"]


async def test_a_question_that_is_cancelled_leaves_its_place(crowd: Crowd) -> None:
    await crowd.block()
    crowd.ask(Caller(Party("a")), "never")
    crowd.ask(Caller(Party("b")), "answered")
    await asyncio.sleep(0)
    crowd.tasks[1].cancel()
    await crowd.outcomes()
    assert crowd.order == ["answered"]


async def test_what_becomes_of_a_question_that_was_cancelled_is_not_a_fault(crowd: Crowd) -> None:
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    begun, go = threading.Event(), threading.Event()

    async def stay() -> None:
        await asyncio.Event().wait()

    def interrupted() -> None:
        begun.set()
        go.wait()
        raise ReaderLeft("The reader went away.")

    asking = Caller(Party("a"), stay)
    crowd.ask(asking, "a", interrupted)
    await asyncio.to_thread(begun.wait)
    crowd.tasks[0].cancel()
    await asyncio.wait(crowd.tasks)
    crowd.tasks.clear()  # with their tracebacks, which hold what they waited for
    asking.answered()
    go.set()
    await crowd.room.run(lambda: None)  # on the same thread, so the other one has ended
    await asyncio.sleep(0)
    gc.collect()
    assert faults == []


async def test_a_closed_room_says_so(crowd: Crowd) -> None:
    crowd.room.close()
    for _ in range(2):  # the thread that it did not get is free again
        with pytest.raises(StoreUnavailable, match="closed"):
            await crowd.room.run(lambda: None)


async def test_who_is_logged_in_comes_before_strangers_who_do_not_wait_for_ever() -> None:
    """Strangers who look at a public report at once are many, and its owner is one of a few."""
    crowd = Crowd(turn_s=0.0)
    await crowd.block()
    for number in range(20):
        crowd.ask(Caller(Party(("address", number))), "stranger")
    await asyncio.sleep(0)
    for number in range(12):
        crowd.ask(Caller(Party(("person", number), known=True)), "person")
    assert await crowd.outcomes() == [None] * 33
    turns = [*["person"] * 4, "stranger"]
    assert crowd.order == [*turns * 3, *["stranger"] * 17]
    crowd.room.close()


async def test_a_person_with_many_questions_does_not_push_strangers_out() -> None:
    crowd = Crowd(turn_s=0.0)
    await crowd.block()
    owner, stranger = Caller(Party("owner", known=True)), Caller(Party("stranger"))
    for number in range(12):
        crowd.ask(owner, f"owner {number}")
    crowd.ask(stranger, "stranger")
    await crowd.outcomes()
    assert crowd.order.index("stranger") <= 5
    crowd.room.close()


async def test_a_key_that_asks_without_end_has_no_more_turns_than_strangers() -> None:
    crowd = Crowd(turn_s=0.0)
    await crowd.block()
    key = Caller(Party("key", known=True))
    for _ in range(6):
        crowd.ask(key, "key")
    for number in range(3):
        crowd.ask(Caller(Party(number)), "stranger")
    await crowd.outcomes()
    assert crowd.order == [*["key", "stranger"] * 3, *["key"] * 3]
    crowd.room.close()


async def test_somebody_who_comes_later_goes_ahead_of_a_key_that_asks_without_end() -> None:
    crowd = Crowd(turn_s=0.0)
    await crowd.block()
    key, owner = Caller(Party("key", known=True)), Caller(Party("owner", known=True))
    crowd.ask(key, "key")
    for _ in range(4):
        crowd.ask(key, "key")
    for number in range(4):
        crowd.ask(Caller(Party(number)), "stranger")
    crowd.ask(owner, "owner")
    await crowd.outcomes()
    assert crowd.order[:4] == ["key", "owner", "stranger", "key"]
    crowd.room.close()


async def test_what_the_server_asks_for_itself_comes_before_strangers() -> None:
    crowd = Crowd(turn_s=0.0)
    await crowd.block()
    for number in range(3):
        crowd.ask(Caller(Party(number)), "stranger")
    await asyncio.sleep(0)
    crowd.tasks.append(asyncio.create_task(crowd.room.run(lambda: crowd.order.append("server"))))
    await crowd.outcomes()
    assert crowd.order == ["server", *["stranger"] * 3]
    crowd.room.close()


def test_a_person_takes_other_turns_than_the_address_they_come_from() -> None:
    asking = Caller(Party(("address", "203.0.113.7")))
    with caller.on_behalf_of(asking):
        caller.set_person("7")
    assert asking.party == Party(("person", "7"), known=True)
