"""The sessionizer: assigns each event to a visit, and computes what it adds to that visit.

A visitor's events are taken in log order, and each is placed by what that visitor sent before it:
nothing depends on batches, on other visitors, or on what has left the memory.

**Joining.** An event joins, of its visitor's visits, the one touched last whose extent, widened
by 30 minutes on both sides, holds its `ts` (exactly 30:00 still joins), unless nothing touched
that visit in the 72.5 hours before the event was received. Otherwise it opens another.

**Readings.** An engagement ping speaks of the time in which its page was used, from `engaged_ms`
before its `ts` on: it joins the visit touched last whose widened extent meets that time, and
lengthens it to its `ts`. A reading of a page that then lay idle for longer belongs to its visit
too: it joins the one touched last of those that began before it, and leaves its extent as it is.
Only a reading without any such visit stays outside, and it never opens one.

**Forgetting cannot be seen.** `Sessions` keeps every visit whose `touched` is `horizon` or later
(log time: the latest `received_at` so far; `horizon` lags it by one to two times *keep_ms*). No
event happens after it was received, so `last <= touched`, and a forgotten visit has
last + 30:00 <= touched + 30:00 < horizon + 30:00. An event with ts >= horizon + 30:00 is past
the reach of every forgotten visit, and so is a reading whose time begins then, if a visit that is
here meets that time. For the others, `absent` names the visitors whose stored visits the
caller hands to `load` first; from then until the next `forget` theirs are complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from sys import intern
from typing import Any, Final

from msgspec.structs import astuple

from analytics.event import ENGAGEMENT, PAGEVIEW, Erasure, Hit
from analytics.pipeline.erasure import ends
from analytics.pipeline.visit import Entry, Visit
from analytics.stable_hash import hash64

INACTIVITY_MS: Final = 30 * 60_000
REACH_MS: Final = 72 * 3_600_000 + INACTIVITY_MS
"""How long after its last touch a visit can still be joined; nothing older need be loaded."""
KEEP_MS: Final = 3_600_000

Visitor = tuple[str, int]
"""A site, and the id of one of its visitors."""


_Key = tuple[str, int, bool]

_BEFORE_ALL_TIME: Final = -(1 << 62)


class Sessions:
    """The visits that can still be joined. Not for several threads at once.

    *newest* is the latest `received_at` among the stored rows (None when there are none);
    *visits* are those stored whose `touched` is newest - keep_ms or later.
    """

    def __init__(
        self, *, newest: int | None = None, visits: Iterable[Visit] = (), keep_ms: int = KEEP_MS
    ) -> None:
        self.horizon = _BEFORE_ALL_TIME if newest is None else newest - keep_ms
        self._keep_ms = keep_ms
        self._turned_at = newest
        # Each visitor is in one of the two, with visits in the order of their last touch.
        self._young: dict[_Key, list[Visit]] = {}
        self._old: dict[_Key, list[Visit]] = {}
        self._absent: set[Visitor] = set()
        self._whole: set[Visitor] = set()
        self.load(visits)

    def absent(self, hits: Iterable[Hit], is_new: Callable[[Hit], bool]) -> set[Visitor]:
        """Return the visitors whose stored visits must be loaded before *hits* are placed.

        The rows of every earlier `place` must be in the store by the time it is read. Visits not
        touched for `REACH_MS` may be left out, and visits already in memory may be included.
        *is_new* returns whether a hit cannot be a copy of an earlier one.
        """
        limit = self.horizon + INACTIVITY_MS
        absent: set[Visitor] = set()
        events: dict[_Key, Hit] = {}
        for hit in hits:
            key = (hit.site, hit.visitor, hit.bot is not None)
            if hit.name != ENGAGEMENT:
                events[key] = hit
                if hit.ts < limit:
                    absent.add(key[:2])
            elif hit.ts - hit.engaged_ms < limit or not (
                self._has_visit_of(hit, key) or _is_near(hit, events.get(key), is_new)
            ):
                absent.add(key[:2])
        self._absent = absent - self._whole
        return self._absent

    def load(self, visits: Iterable[Visit]) -> None:
        """Add the stored visits of the visitors that `absent` returned."""
        for visit in visits:
            known = self._recall((visit.site, visit.visitor, visit.bot))
            # What is in memory is as new as the store, or newer.
            if all(visit.session != other.session for other in known):
                known.append(visit)
                known.sort(key=_log_order)
        self._whole |= self._absent
        self._absent = set()

    def end(self, erasure: Erasure) -> None:
        """Forget the visits of which *erasure* leaves nothing: what follows opens others."""
        for generation in (self._old, self._young):
            for (site, visitor, bot), visits in [*generation.items()]:
                if site == erasure.site and erasure.visitor in (None, visitor):
                    remaining = [visit for visit in visits if not ends(erasure, visit)]
                    generation[site, visitor, bot] = remaining

    def drop(self, site: str, sessions: Set[int]) -> None:
        """Forget these visits of *site*, whose rows are gone."""
        for generation in (self._old, self._young):
            for key, visits in generation.items():
                if key[0] == site:
                    visits[:] = [visit for visit in visits if visit.session not in sessions]

    def recalled(self, site: str, visitors: Iterable[int]) -> set[Visitor]:
        """Return those of *visitors* of *site* who have visits in memory."""
        keys = self._old.keys() | self._young.keys()
        return {
            (site, visitor)
            for visitor in visitors
            if (site, visitor, False) in keys or (site, visitor, True) in keys
        }

    def replace(self, visitors: Set[Visitor], visits: Iterable[Visit]) -> None:
        """Forget what is known of *visitors*; *visits* are theirs that are stored."""
        for generation in (self._old, self._young):
            for site, visitor in visitors:
                for bot in (False, True):
                    generation.pop((site, visitor, bot), None)
        self._whole -= visitors
        self.load(visits)

    def all(self) -> Iterator[Visit]:
        """Yield every visit in memory."""
        for generation in (self._old, self._young):
            for visits in generation.values():
                yield from visits

    def place(self, hit: Hit, offset: int, source: str, channel: str) -> tuple[Any, ...]:
        """Let *hit* join or open a visit; return its row's columns from `session` on, in order."""
        key = (hit.site, hit.visitor, hit.bot is not None)
        visits = self._young.get(key)
        if visits is None:
            visits = self._recall(key)
        visit = _joinable(visits, hit)
        opens = 0
        gap_ms = 0
        if visit is not None:
            gap_ms = _touch(visit, hit, offset)
        elif hit.name == ENGAGEMENT:
            return (0, hit.ts, 0, 0, 0, None, None, *astuple(_entry(hit, source, channel)))
        else:
            opens = 1
            visit = _open(key, hit, offset, _entry(hit, source, channel))
            visits.append(visit)
        engages = 0
        prev_path = prev_hostname = None
        if hit.name == PAGEVIEW:
            prev_path, prev_hostname = _view(visit, hit)
            if visit.pageviews > 1 and not visit.engaged:
                visit.engaged = True
                engages = 1
        elif hit.interactive and not visit.engaged and hit.name != ENGAGEMENT:
            visit.engaged = True
            engages = 1
        return (
            visit.session,
            visit.session_start,
            opens,
            engages,
            gap_ms,
            prev_path,
            prev_hostname,
            *astuple(visit.entry),
        )

    def forget(self, latest: int) -> None:
        """Drop unused visits; *latest* is the latest `received_at` so far.

        This costs the same for any number: the older of two generations goes at once. A visit
        in it was last touched before the previous turn, so its `touched` is no later than that.
        """
        if self._turned_at is None:
            self._turned_at = latest
        elif latest >= self._turned_at + self._keep_ms:
            self.horizon = max(self.horizon, self._turned_at + 1)
            self._turned_at = latest
            self._old = self._young
            self._young = {}
            self._whole.clear()

    def _has_visit_of(self, reading: Hit, key: _Key) -> bool:
        """Return whether a visit in memory meets the time that *reading* measures."""
        visits = self._young.get(key)
        if visits is None:
            visits = self._old.get(key, [])
            if key[:2] not in self._whole:
                visits = [visit for visit in visits if visit.touched >= self.horizon]
        return any(_meets(visit, reading) for visit in visits)

    def _recall(self, key: _Key) -> list[Visit]:
        """Return the visitor's visits, moved to the young generation."""
        visits = self._young.get(key)
        if visits is None:
            visits = self._old.pop(key, [])
            if visits and key[:2] not in self._whole:
                # Otherwise the visits of a visitor who never leaves would accumulate.
                visits = [visit for visit in visits if visit.touched >= self.horizon]
            self._young[(intern(key[0]), key[1], key[2])] = visits
        return visits


def _log_order(visit: Visit) -> int:
    return visit.offset


def _begin(hit: Hit) -> int:
    """Return the start of the time that *hit* covers, which ends with its `ts`."""
    return hit.ts - hit.engaged_ms if hit.name == ENGAGEMENT else hit.ts


def _is_near(reading: Hit, event: Hit | None, is_new: Callable[[Hit], bool]) -> bool:
    """Return whether *reading* surely meets the visit that *event* will join or open."""
    return (
        event is not None
        and event.ts - INACTIVITY_MS <= reading.ts
        and _begin(reading) <= event.ts + INACTIVITY_MS
        and reading.received_at <= event.received_at + REACH_MS
        and is_new(event)
    )


def _meets(visit: Visit, hit: Hit) -> bool:
    return (
        visit.first - INACTIVITY_MS <= hit.ts
        and _begin(hit) <= visit.last + INACTIVITY_MS
        and hit.received_at <= visit.touched + REACH_MS
    )


def _joinable(visits: list[Visit], hit: Hit) -> Visit | None:
    """Return the visit that *hit* joins, moved to the end of *visits*, or None."""
    for index in range(len(visits) - 1, -1, -1):
        if _meets(visits[index], hit):
            break
    else:
        index = _idle(visits, hit) if hit.name == ENGAGEMENT else -1
        if index < 0:
            return None
    if index != len(visits) - 1:
        visits.append(visits.pop(index))
    return visits[-1]


def _idle(visits: list[Visit], reading: Hit) -> int:
    """Return the index of the last touched visit that began before *reading*, or -1."""
    for index in range(len(visits) - 1, -1, -1):
        visit = visits[index]
        if visit.first <= reading.ts and reading.received_at <= visit.touched + REACH_MS:
            return index
    return -1


def _touch(visit: Visit, hit: Hit, offset: int) -> int:
    """Extend *visit* to *hit*, unless its page lay idle before it; return the growth in ms."""
    visit.offset = offset
    visit.touched = max(visit.touched, hit.received_at)
    ts = hit.ts
    if _begin(hit) > visit.last + INACTIVITY_MS:
        return 0
    if ts > visit.last:
        gap_ms = ts - visit.last
        visit.last = ts
        return gap_ms
    if ts < visit.first:
        gap_ms = visit.first - ts
        visit.first = ts
        return gap_ms
    return 0


def _view(visit: Visit, hit: Hit) -> tuple[str | None, str | None]:
    """Count a pageview; the page that stops being the visit's last one because of it."""
    visit.pageviews += 1
    if visit.pageviews > 1 and hit.ts < visit.last_view:
        # It comes late, and was never the last page: it takes its own exit away.
        return hit.path, hit.hostname
    previous = visit.last_path, visit.last_hostname
    visit.last_view = hit.ts
    visit.last_path = hit.path
    visit.last_hostname = hit.hostname
    return previous


def _open(key: _Key, hit: Hit, offset: int, entry: Entry) -> Visit:
    site, visitor, bot = key
    return Visit(
        site=site,
        visitor=visitor,
        bot=bot,
        session=hash64(site, visitor.to_bytes(8, "little"), hit.event_id) or 1,
        session_start=hit.ts,
        first=hit.ts,
        last=hit.ts,
        touched=hit.received_at,
        offset=offset,
        pageviews=0,
        engaged=False,
        last_view=-1,
        last_path=None,
        last_hostname=None,
        entry=entry,
    )


def _entry(hit: Hit, source: str, channel: str) -> Entry:
    # Interned, since an open visit is mostly text that thousands of others share.
    return Entry(
        intern(hit.hostname),
        intern(hit.path),
        intern(hit.referrer),
        intern(source),
        intern(channel),
        intern(hit.utm_source),
        intern(hit.utm_medium),
        intern(hit.utm_campaign),
        intern(hit.utm_content),
        intern(hit.utm_term),
        intern(hit.country),
        intern(hit.region),
        intern(hit.city),
        intern(hit.device),
        intern(hit.browser),
        intern(hit.browser_version),
        intern(hit.os),
        intern(hit.os_version),
        intern(hit.screen),
        intern(hit.language),
    )
