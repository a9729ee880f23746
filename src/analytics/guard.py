"""The guard of a backend: passes calls through its breaker, and limits concurrent ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from analytics.breaker import Breaker, Call, CallOutcome
from analytics.errors import BulkheadFull, CircuitOpen, Unavailable


class Guard:
    """Allows at most *most* concurrent calls, and reports their outcomes to *breaker*. Thread-safe.

    Time-outs are those of the driver: an `Unavailable` or `OSError` that leaves the block counts as
    a failure.
    """

    def __init__(self, breaker: Breaker, *, most: int) -> None:
        self.breaker = breaker
        self._most = most
        self._under_way = 0
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Guard the call made in the block.

        Raise `CircuitOpen` or `BulkheadFull` before it begins.
        """
        call = self._begun()
        try:
            yield
        except (Unavailable, OSError) as exc:
            with self._lock:
                call.failed(str(exc))
            raise
        except Exception:
            # It has answered, even if with an error.
            with self._lock:
                call.succeeded()
            raise
        else:
            with self._lock:
                call.succeeded()
        finally:
            with self._lock:
                self._under_way -= 1

    def _begun(self) -> Call:
        breaker = self.breaker
        with self._lock:
            if self._under_way >= self._most:
                breaker.outcomes[CallOutcome.CROWDED_OUT] += 1
                raise BulkheadFull(
                    f"{breaker.backend}: {self._most} calls are under way, and no more may be; "
                    "ask again in a moment"
                )
            call = breaker.begin()
            if call is None:
                wait = breaker.retry_in()
                raise CircuitOpen(
                    f"{breaker.backend} is left alone for {wait:.1f} s: {breaker.fault}",
                    retry_after=wait,
                )
            self._under_way += 1
        return call
