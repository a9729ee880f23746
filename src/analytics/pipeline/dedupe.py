"""A compact filter of event ids, which recognizes most new hits without a look-up.

Deduplication is exact: a hit that the filter calls new is new, and for every other hit the caller
looks up the id in the store. The ids lie in two
generations of Bloom filters, each of at least a day, so that a day is always remembered.

What `surely_new` rests on. Let an id come first at R1 and again at R2 (`received_at` both).
`complete_since` = C promises that every id with received_at >= C is in memory, and we answer
"new" only if C <= R2 - 24 h. So for R1 >= R2 - 24 h the id is in memory, and a Bloom filter
never denies what it holds. For R1 < R2 - 24 h the copy is more than a day late; if it carries
its own time (`ts` <= R1), then ts < R2 - 24 h, which is never "surely new" either.

Memory: 3 to 6 bytes for each id of the last 24 to 48 hours, so at most 6 MB for a million.
Of a thousand new ids, about one is called unsure for nothing (measured, two million a day).
"""

from __future__ import annotations

from array import array
from random import Random
from typing import Final, NamedTuple, Protocol

from analytics.units import DAY_MS

ALWAYS: Final = -(1 << 62)
"""The `complete_since` of a store that is known to be empty."""

_WORD_BITS: Final = 64
_BITS_PER_ID: Final = 24
_FIRST_LAYER_IDS: Final = 1 << 15
_MASK_COUNT: Final = 1 << 12
_SPREAD: Final = 0x9E37_79B1
"""An odd factor that makes the second word of an id independent of its first."""


def _masks() -> tuple[int, ...]:
    """Return words with four bits set each, to be picked by twelve bits of a hash."""
    shuffled = Random(4)  # noqa: S311 (a fixed table, no secret)
    return tuple(
        sum(1 << bit for bit in shuffled.sample(range(_WORD_BITS), 4)) for _ in range(_MASK_COUNT)
    )


_MASKS: Final = _masks()


class Unsure(NamedTuple):
    """A hit that may be a copy: look its (site, event_id) up in the stored rows.

    The stored one was received in the 24 hours before this one; or its `ts` is the same, or
    within 24 hours. (A sender may date the one and not the other, and its clock may be wrong.)
    """

    site: str
    event_id: str
    ts: int
    received_at: int


class Seen(Protocol):
    """The methods of a memory of ids that `fold` calls."""

    def surely_new(self, site: str, event_id: str, ts: int, received_at: int) -> bool:
        """Return whether this hit cannot be a copy of an earlier one; False means "look it up"."""

    def remember(self, site: str, event_id: str, received_at: int) -> None:
        """Record an id that is stored, or about to be."""


class SeenNothing:
    """The memory of a caller who looks up every id."""

    def surely_new(self, site: str, event_id: str, ts: int, received_at: int) -> bool:
        """Return False."""
        return False

    def remember(self, site: str, event_id: str, received_at: int) -> None:
        """Do nothing."""


class SeenFilter:
    """The ids of the last day or two. Not for several threads at once.

    *complete_since*: every id with `received_at` from there on is, or will be, remembered. For
    an empty store that is `ALWAYS`; after a restart it is just after the newest stored row, and
    the filter vouches for nothing until it has watched the log for a day, or until the caller
    has fed it the stored ids of the last day (`remember`, in order of `received_at`, in steps
    between batches as it likes) and says so with `vouch`.
    """

    def __init__(self, *, complete_since: int) -> None:
        self.complete_since = complete_since
        # A generation is a list of layers, each as large as those before it together. A layer
        # is an array of words; an id sets four bits in each of two of them.
        self._young = [_layer(_FIRST_LAYER_IDS)]
        self._old: list[array[int]] = []
        self._layers = self._young + self._old
        self._count = 0
        """The number of ids in the young generation."""
        self._room = _FIRST_LAYER_IDS
        """The number of ids that still fit into its last layer."""
        self._young_since: int | None = None
        self._kept_since = ALWAYS
        self._now = ALWAYS
        """The latest `received_at` so far."""

    def surely_new(self, site: str, event_id: str, ts: int, received_at: int) -> bool:
        """Return whether this hit cannot be a copy of an earlier one; False means "look it up"."""
        a_day_ago = received_at - DAY_MS
        if ts < a_day_ago or self.complete_since > a_day_ago:
            return False
        digest = _digest(site, event_id)
        mask = _MASKS[digest >> 52]
        other = _MASKS[digest >> 40 & 4095]
        spread = (digest >> 17) * _SPREAD
        for words in self._layers:
            size = len(words)
            if words[digest % size] & mask == mask and words[spread % size] & other == other:
                return False
        return True

    def remember(self, site: str, event_id: str, received_at: int) -> None:
        """Record an id that is stored, or about to be."""
        if received_at > self._now:
            self._advance(received_at)
        if not self._room:
            self._grow()
        digest = _digest(site, event_id)
        words = self._young[-1]
        size = len(words)
        words[digest % size] |= _MASKS[digest >> 52]
        words[(digest >> 17) * _SPREAD % size] |= _MASKS[digest >> 40 & 4095]
        self._count += 1
        self._room -= 1

    def vouch(self, since: int) -> None:
        """Declare that every stored id with `received_at` from *since* on has been remembered."""
        self.complete_since = max(since, self._kept_since)

    @property
    def size_bytes(self) -> int:
        """The memory that the ids take, in bytes."""
        return sum(words.itemsize * len(words) for words in self._layers)

    def _grow(self) -> None:
        self._room = self._count
        self._young.append(_layer(self._count))
        self._layers = self._young + self._old

    def _advance(self, received_at: int) -> None:
        self._now = received_at
        if self._young_since is None:
            self._young_since = received_at
        elif received_at >= self._young_since + DAY_MS:
            # An id is remembered when the latest received_at is its own or a later one. So
            # those from _young_since on all lie in the generation that stays.
            self._kept_since = self._young_since
            self.complete_since = max(self.complete_since, self._kept_since)
            self._old = self._young
            self._room = max(_FIRST_LAYER_IDS, self._count * 5 // 4)
            self._young = [_layer(self._room)]
            self._layers = self._young + self._old
            self._young_since = received_at
            self._count = 0


_: tuple[type[Seen], type[Seen]] = (SeenFilter, SeenNothing)


def _layer(ids: int) -> array[int]:
    return array("Q", bytes(8 * (ids * _BITS_PER_ID // _WORD_BITS + 1)))


def _digest(site: str, event_id: str) -> int:
    # Python salts this hash anew in each process, so nobody can aim ids at our filter, and
    # nothing but the number of look-ups depends on it.
    return hash((site, event_id)) & 0xFFFF_FFFF_FFFF_FFFF
