"""Remembered answers: a question asked again is not worked on again while its site stands still."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import msgspec

from analytics.query import Query, Result

_MOST_BYTES: Final = 8 << 20
_LONGEST_BYTES: Final = 128 << 10
"""Longest question and answer, encoded, that are kept: a year by days takes a tenth of it."""


class ResultCache:
    """The latest answers to questions about sites in which nothing was written since.

    May be used from any thread. What is kept is bounded in bytes, with the questions, which
    strangers write.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        """By question: the state in which it was answered, and the answer."""
        self.size = 0
        """In bytes, of all questions and answers."""
        self._changes = 0
        self._changed_at: dict[str, int] = {}
        """By site: which of the changes was its last."""
        self._all_changed_at = 0
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Result)

    def state(self) -> int:
        """Return what to give to `keep`; ask for it before the answer is looked for."""
        with self._lock:
            return self._changes

    def answer(self, query: Query) -> Result | None:
        """Return the answer to *query* if it is known and still right."""
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
        return self._decoder.decode(answer)

    def keep(self, query: Query, result: Result, state: int) -> None:
        """Keep the *result* of *query*, which was looked for in that *state* or a later one."""
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
        """Something was written in *sites*, and can be seen by questions."""
        with self._lock:
            self._changes += 1
            self._changed_at.update(dict.fromkeys(sites, self._changes))

    def all_changed(self) -> None:
        """Anything may have been changed or deleted; nothing is kept of it."""
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
