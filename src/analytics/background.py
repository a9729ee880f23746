"""Supervised background work: a step repeated until it is stopped, whatever it raises.

An error ends one attempt and never the loop. It is logged, counted and shown by `LoopState`, and
the next attempt follows after a pause that doubles with each error in a row. The pause is
jittered, so that replicas that lost the same backend do not all come back to it at once.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Generic, Self, TypedDict, TypeVar

import structlog

from analytics.errors import AnalyticsError, Unavailable

log = structlog.get_logger()

Step = TypeVar("Step", bound=Callable[[], object])

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


class LoopHealth(TypedDict):
    """The public facts about a loop."""

    last_success: str | None
    failures_in_a_row: int
    error: str | None
    """The kind of the last step's error; null when it succeeded."""


class LoopState:
    """The outcome of one loop's steps. The loop writes it; any thread may read it."""

    def __init__(self, name: str, *, meanwhile: str, essential: bool = False) -> None:
        """*meanwhile* is a public sentence about what is missing as long as the steps fail.

        A server is unready while the last step of an *essential* loop failed; any other loop only
        makes it degraded.
        """
        self.name = name
        self.meanwhile = meanwhile
        self.essential = essential
        self.successes = 0
        self.failures = 0
        self.failures_in_a_row = 0
        self.last_success_at: float | None = None
        """In seconds since 1970."""
        self.error: BaseException | None = None
        """What the last step raised; None when it succeeded."""

    def succeeded(self) -> None:
        """Note that a step, or a stretch of one that never ends by itself, has succeeded."""
        if self.failures_in_a_row:
            log.info("background_recovered", loop=self.name, failures=self.failures_in_a_row)
        self.successes += 1
        self.failures_in_a_row = 0
        self.last_success_at = time.time()
        self.error = None

    def failed(self, error: BaseException) -> None:
        """Note and log that a step has raised *error*.

        The same error in a row is logged at the 1st, 2nd, 4th, 8th … time: a backend that is away
        for a night must not fill the disk.
        """
        again = self.error is not None and _summary(self.error) == _summary(error)
        self.failures += 1
        self.failures_in_a_row += 1
        self.error = error
        count = self.failures_in_a_row
        if again and count & (count - 1):
            return
        if is_expected(error):
            log.warning("background_failed", loop=self.name, error=_summary(error), in_a_row=count)
        else:
            log.error("background_failed", loop=self.name, in_a_row=count, exc_info=error)

    @property
    def fault(self) -> str | None:
        """The reason why the last step failed, fit for the public; None when it succeeded."""
        if self.error is None:
            return None
        if is_expected(self.error):
            return _summary(self.error)
        return f"an unexpected error ({type(self.error).__name__}), which the log has in full"

    @property
    def code(self) -> str | None:
        """The kind of the last step's error, without its text; None when it succeeded."""
        if isinstance(self.error, AnalyticsError):
            return self.error.code
        return None if self.error is None else type(self.error).__name__

    def shown(self) -> LoopHealth:
        """Return the public facts about the loop, for `/health/ready`."""
        at = self.last_success_at
        return {
            "last_success": None
            if at is None
            else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
            "failures_in_a_row": self.failures_in_a_row,
            "error": self.code,
        }


class _Supervised(Generic[Step]):
    """The schedule of a step and the state of its loop; what both forms of a loop share."""

    def __init__(
        self,
        name: str,
        step: Step,
        *,
        every_s: float | None,
        meanwhile: str,
        essential: bool = False,
        first_after_s: float = 0.0,
        longest_pause_s: float = _LONGEST_PAUSE_S,
    ) -> None:
        """Repeat *step* every *every_s* seconds, counted from the end of the last success.

        With None the loop ends with the first success: the step goes on until its work is done,
        and is only repeated after an error. *meanwhile* and *essential*: see `LoopState`.
        """
        self.state = LoopState(name, meanwhile=meanwhile, essential=essential)
        self._step = step
        self._every_s = every_s
        self._first_after_s = first_after_s
        self._first_pause_s = min(max(every_s or 0, _FIRST_PAUSE_S), longest_pause_s)
        self._longest_pause_s = max(longest_pause_s, self._first_pause_s)

    @property
    def pause_s(self) -> float:
        """How long to wait after a step that failed."""
        doublings = min(self.state.failures_in_a_row - 1, 16)
        longest = min(self._first_pause_s * 2**doublings, self._longest_pause_s)
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards no secret

    def _failed(self, error: BaseException) -> float:
        self.state.failed(error)
        return self.pause_s


class BackgroundLoop(_Supervised[Callable[[], Awaitable[object]]]):
    """A loop on the event loop. It runs while its `async with` block does, or from `start` on."""

    _task: asyncio.Task[None] | None = None
    stopping = False
    """Whether no further step will begin."""

    @cached_property
    def _woken(self) -> asyncio.Event:
        return asyncio.Event()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin, unless it is running or was stopped."""
        if self._task is None and not self.stopping:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self.state.name)
            self._task.add_done_callback(self._ended)

    def wake(self) -> None:
        """Let the next step begin now instead of after the pause."""
        self._woken.set()

    async def stop(self, *, finish_step: bool = False) -> None:
        """Stop, and return when no step is under way; one under way is cancelled by default.

        With *finish_step* it runs to its end.
        """
        self.stopping = True
        self._woken.set()
        task = self._task
        if task is None:
            return
        if not finish_step:
            task.cancel()
        await asyncio.wait([task])

    async def _run(self) -> None:
        pause = self._first_after_s
        while not await self._stopped_within(pause):
            try:
                await self._step()
            except asyncio.CancelledError as exc:
                task = asyncio.current_task()
                if self.stopping or (task is not None and task.cancelling()):
                    raise
                pause = self._failed(exc)  # something that the step awaited was cancelled
            except Exception as exc:  # noqa: BLE001 - logged and shown, whatever it is
                pause = self._failed(exc)
            else:
                self.state.succeeded()
                if self._every_s is None:
                    break
                pause = self._every_s
        self._task = None

    async def _stopped_within(self, pause: float) -> bool:
        if pause > 0 and not self.stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
        else:
            await asyncio.sleep(0)  # let other tasks run
        self._woken.clear()
        return self.stopping

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None
            if not self.stopping:
                self.state.failed(
                    asyncio.CancelledError("the loop was cancelled by another part of the program")
                )


class BackgroundThread(_Supervised[Callable[[], object]]):
    """A loop in a thread of its own, for steps that block. It runs while its `with` block does.

    A stop waits for the step under way.
    """

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.state.name, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = self._first_after_s
        while not self._stop.wait(pause):
            try:
                self._step()
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - logged and shown, whatever it is
                pause = self._failed(exc)
            else:
                self.state.succeeded()
                if self._every_s is None:
                    break
                pause = self._every_s


def attempt_each(what: str, steps: Iterable[Callable[[], object]]) -> None:
    """Run all *steps* in order; an error in one does not keep the others from running.

    Afterwards raise the error of the only step that failed, or an `ExceptionGroup`, named by
    *what*, of several.
    """
    errors: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as exc:  # noqa: BLE001 - raised below
            errors.append(exc)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(f"{len(errors)} of the {what} failed", errors)


def is_expected(error: BaseException) -> bool:
    """Return whether *error*, or all of a group, is an `AnalyticsError`."""
    return _consists_of(error, AnalyticsError)


def is_unavailable(error: BaseException) -> bool:
    """Return whether *error*, or all of a group, is an `Unavailable`."""
    return _consists_of(error, Unavailable)


def _consists_of(error: BaseException, kind: type[AnalyticsError]) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_consists_of(each, kind) for each in error.exceptions)
    return isinstance(error, kind)


def _summary(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return f"{error.message}: {_summary(error.exceptions[0])}"
    return str(error) or repr(error)
