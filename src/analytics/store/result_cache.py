"""A cache of answers, valid until something is written for the site."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, overload

import msgspec

from analytics.exploration import Exploration, ExplorationResult
from analytics.query import Query, Result

_MOST_BYTES: Final = 8 << 20
_LONGEST_BYTES: Final = 128 << 10
"""Largest encoded question and answer to keep: a year by days takes a tenth of it."""


class ResultCache:
    """The latest answers to questions about sites for which nothing was written since.

    Thread-safe. The size in bytes is bounded, questions included, since users write them.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        """Maps an encoded question to the state in which it was answered, and the answer."""
        self.size = 0
        """The size of all questions and answers, in bytes."""
        self._changes = 0
        self._changed_at: dict[str, int] = {}
        """Maps a site to the number of its last change."""
        self._all_changed_at = 0
        self._encoder = msgspec.msgpack.Encoder()
        self._result = msgspec.msgpack.Decoder(Result)
        self._exploration_result: msgspec.msgpack.Decoder[ExplorationResult]
        self._exploration_result = msgspec.msgpack.Decoder(ExplorationResult)

    def state(self) -> int:
        """Return the state to pass to `keep`; read it before the question is run."""
        with self._lock:
            return self._changes

    @overload
    def answer(self, query: Query) -> Result | None: ...

    @overload
    def answer(self, query: Exploration) -> ExplorationResult | None: ...

    def answer(self, query: Query | Exploration) -> Result | ExplorationResult | None:
        """Return the answer to *query* if it is cached and still valid."""
        question = self._encoder.encode(query)
        with self._lock:
            kept = self._answers.get(question)
            if kept is None:
                return None
            state, answer = kept
            if state < max(self._changed_at.get(query.site, 0), self._all_changed_at):
                self._forget(question)
                return None
            self._answers.move_to_end(question)
        if isinstance(query, Query):
            return self._result.decode(answer)
        return self._exploration_result.decode(answer)

    def keep(
        self, query: Query | Exploration, result: Result | ExplorationResult, state: int
    ) -> None:
        """Keep the *result* of *query*, which was run in that *state* or a later one."""
        question, answer = self._encoder.encode(query), self._encoder.encode(result)
        if len(question) + len(answer) > _LONGEST_BYTES:
            return
        with self._lock:
            self._forget(question)
            self._answers[question] = state, answer
            self.size += len(question) + len(answer)
            while self.size > self._most_bytes:
                self._forget(next(iter(self._answers)))

    def changed(self, sites: Iterable[str]) -> None:
        """Record that something was written for *sites*, and is visible to queries."""
        with self._lock:
            self._changes += 1
            self._changed_at.update(dict.fromkeys(sites, self._changes))

    def all_changed(self) -> None:
        """Drop all answers: anything may have been changed or deleted."""
        with self._lock:
            self._changes += 1
            self._all_changed_at = self._changes
            self._changed_at.clear()
            self._answers.clear()
            self.size = 0

    def _forget(self, question: bytes) -> None:
        kept = self._answers.pop(question, None)
        if kept is not None:
            self.size -= len(question) + len(kept[1])
