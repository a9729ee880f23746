"""What the job remembers of one partition of the log, in a file of its own.

It holds how far the partition was folded, the ids of the last days, the visits that can still
be joined, the orders to erase, and the outbox: chunks that are not yet known to be safe. One
transaction changes all of it, so that a batch is folded once, however often it is handed to us. Two
processes may take turns on the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from analytics import sqlite_file
from analytics.event import Erasure, Hit, hash64
from analytics.job.partition import state_file
from analytics.job.partition.erasures import PartitionErasures
from analytics.pipeline.dedupe import DAY_MS
from analytics.pipeline.erasure import ends
from analytics.pipeline.ledger import DeadLetter
from analytics.pipeline.sessions import REACH_MS
from analytics.pipeline.visit import Visit
from analytics.store.chunks.chunk import Chunk, ChunkKind

ID_DAYS: Final = 3
"""Ids are known for one day less than this, at least."""
VISIT_KEEP_MS: Final = REACH_MS + DAY_MS
_BUSY_S: Final = 30.0
_SIGN: Final = 1 << 63
_AT_ONCE: Final = 500

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), next_offset INTEGER);
CREATE TABLE IF NOT EXISTS last_folded (one INTEGER PRIMARY KEY CHECK (one = 1), fingerprint BLOB);
CREATE TABLE IF NOT EXISTS visits (visitor INTEGER PRIMARY KEY, touched INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS outbox (
    chunk_id TEXT PRIMARY KEY, kind TEXT, site TEXT, hour INTEGER, log_partition INTEGER,
    first_offset INTEGER, last_offset INTEGER, row_count INTEGER, version INTEGER, payload BLOB,
    sent_at INTEGER);
CREATE TABLE IF NOT EXISTS dead_letters (
    log_offset INTEGER PRIMARY KEY, received_at INTEGER, reason TEXT, payload BLOB);
CREATE TABLE IF NOT EXISTS rewrites (chunk_id TEXT PRIMARY KEY);
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Visit]).decode


class SentChunk(NamedTuple):
    """A chunk in the outbox that was sent, and is not confirmed."""

    chunk_id: str
    rows: int
    sent_at: int
    rewritten: bool
    """Whether it replaces one that was sent before."""


class PartitionState:
    """The open file. For one thread.

    *shared* are files that other machines open, too: SQLite's write-ahead log would need memory
    that all of them have. Whether one is, all who open it must agree on.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._db = state_file.opened(path, busy_s=_BUSY_S)
        try:
            self._db.execute(f"PRAGMA journal_mode = {'DELETE' if shared else 'WAL'}")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            self.orders = PartitionErasures(self._db)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the changes inside, or none; nobody else changes anything meanwhile.

        One inside of another is a part of it.
        """
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _among(self, select: str, keys: Iterable[bytes] | Iterable[int]) -> Iterator[Any]:
        """The rows of *select* … IN *keys*. A statement for each key would take far longer."""
        rest = iter(sorted(keys))
        while some := tuple(islice(rest, _AT_ONCE)):
            yield from self._db.execute(f"{select} IN ({','.join('?' * len(some))})", some)

    # How far

    @property
    def next_offset(self) -> int | None:
        """Everything before it is folded; None when nothing is remembered at all."""
        row = self._db.execute("SELECT next_offset FROM progress").fetchone()
        return None if row is None else int(row[0])

    @property
    def fingerprint(self) -> bytes | None:
        """Of the last record that was folded; None when it is not known."""
        row = self._db.execute("SELECT fingerprint FROM last_folded").fetchone()
        return None if row is None else bytes(row[0])

    def advance(self, next_offset: int, fingerprint: bytes | None = None) -> None:
        """Everything before *next_offset* is folded; the last of it had that *fingerprint*."""
        self._db.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (next_offset,))
        if fingerprint is None:
            self._db.execute("DELETE FROM last_folded")
        else:
            self._db.execute("INSERT OR REPLACE INTO last_folded VALUES (1, ?)", (fingerprint,))

    # Ids

    def known(self, hits: Iterable[Hit]) -> set[tuple[str, str]]:
        """The (site, event_id)s of *hits* that are stored."""
        asked = {id_key(hit.site, hit.event_id): (hit.site, hit.event_id) for hit in hits}
        return {
            asked[key]
            for table in self._id_tables()
            for (key,) in self._among(f"SELECT id FROM {table} WHERE id", asked)  # noqa: S608 - a name of our own
        }

    def remember_ids(self, ids: Iterable[tuple[str, str]], received_at: int) -> None:
        """Note (site, event_id)s that are stored now; *received_at* is the latest of theirs."""
        day = received_at // DAY_MS
        tables = self._id_tables()
        table = f"ids_{day}"
        if table not in tables:
            self._db.execute(f"CREATE TABLE {table} (id BLOB PRIMARY KEY) WITHOUT ROWID")
            for old in tables:
                if int(old.removeprefix("ids_")) <= day - ID_DAYS:
                    self._db.execute(f"DROP TABLE {old}")
            self._forget_visits(received_at - VISIT_KEEP_MS)
        self._db.executemany(
            f"INSERT OR IGNORE INTO {table} VALUES (?)",  # noqa: S608 - a name of our own
            ((id_key(site, event_id),) for site, event_id in ids),
        )

    def _id_tables(self) -> list[str]:
        found = self._db.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'ids_[0-9]*'")
        return sorted((name for (name,) in found), reverse=True)

    # Visits

    def visits(self, hits: Iterable[Hit]) -> list[Visit]:
        """Every visit that the visitors of *hits* can still join."""
        keys = {visitor_key(hit.site, hit.visitor) for hit in hits}
        found: list[Visit] = []
        for (body,) in self._among("SELECT body FROM visits WHERE visitor", keys):
            found += _decode(body)
        return found

    def remember_visits(self, visits: Iterable[Visit], received_at: int) -> None:
        """Note the *visits* of some visitors, all of theirs, as they are now."""
        limit = received_at - VISIT_KEEP_MS
        of_visitor: dict[int, list[Visit]] = {}
        for visit in visits:
            if visit.touched >= limit:
                of_visitor.setdefault(visitor_key(visit.site, visit.visitor), []).append(visit)
        self._db.executemany(
            "INSERT OR REPLACE INTO visits VALUES (?, ?, ?)",
            (
                (key, max(visit.touched for visit in theirs), _encode(theirs))
                for key, theirs in of_visitor.items()
            ),
        )

    def _forget_visits(self, touched_before: int) -> None:
        self._db.execute("DELETE FROM visits WHERE touched < ?", (touched_before,))

    def end_visits(self, erasure: Erasure) -> None:
        """Forget the visits of which *erasure* leaves nothing: what follows opens others."""
        only = "" if erasure.visitor is None else " WHERE visitor = ?"
        keys = () if erasure.visitor is None else (visitor_key(erasure.site, erasure.visitor),)
        query = f"SELECT visitor, body FROM visits{only}"  # noqa: S608 - our own
        for key, body in self._db.execute(query, keys).fetchall():
            visits = _decode(body)
            left = [visit for visit in visits if not ends(erasure, visit)]
            if len(left) < len(visits):
                self._db.execute(
                    "UPDATE visits SET body = ? WHERE visitor = ?", (_encode(left), key)
                )

    def scrub(self) -> None:
        """Leave nothing in the file's log of what is no longer in the file.

        While a worker uses the file, part of it may stay, until the next time.
        """
        sqlite_file.empty_log(self._db)

    # Dead letters

    def note_dead(self, letters: Iterable[DeadLetter]) -> None:
        """Keep *letters* until their topic has them."""
        self._db.executemany("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?)", letters)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The first *limit* that wait, in the order of their offsets."""
        rows = self._db.execute("SELECT * FROM dead_letters ORDER BY log_offset LIMIT ?", (limit,))
        return [DeadLetter(*row) for row in rows]

    def dead_letters_sent(self, letters: Iterable[DeadLetter]) -> None:
        """Their topic has these."""
        with self.transaction():
            self._db.executemany(
                "DELETE FROM dead_letters WHERE log_offset = ?",
                ((each.offset,) for each in letters),
            )

    # The outbox

    def put_out(self, chunks: Sequence[Chunk]) -> None:
        """Keep *chunks* until they are confirmed."""
        self._db.executemany(
            "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", chunks
        )

    def put_out_rewritten(self, chunks: Sequence[Chunk]) -> None:
        """Keep *chunks*, which are to replace those of the same ids wherever they are."""
        with self.transaction():
            self.put_out(chunks)
            self._db.executemany(
                "INSERT OR IGNORE INTO rewrites VALUES (?)", ((each.chunk_id,) for each in chunks)
            )

    def unsent(self, limit: int, *, rewritten: bool = False) -> list[Chunk]:
        """The first *limit* chunks that were not sent, in the order of their offsets.

        They are either all new or all *rewritten*.
        """
        rows = self._db.execute(
            "SELECT outbox.* FROM outbox LEFT JOIN rewrites USING (chunk_id) WHERE sent_at IS NULL"
            " AND (rewrites.chunk_id IS NOT NULL) = ? ORDER BY first_offset LIMIT ?",
            (rewritten, limit),
        ).fetchall()
        return [Chunk(row[0], ChunkKind(row[1]), *row[2:10]) for row in rows]

    def kept(self, after: str, limit: int) -> list[Chunk]:
        """The first *limit* chunks of the outbox whose ids come after *after*, by their ids."""
        rows = self._db.execute(
            "SELECT * FROM outbox WHERE chunk_id > ? ORDER BY chunk_id LIMIT ?", (after, limit)
        ).fetchall()
        return [Chunk(row[0], ChunkKind(row[1]), *row[2:10]) for row in rows]

    def sent(self, chunks: Iterable[Chunk], at: int) -> None:
        """These were sent at *at*; one that was rewritten meanwhile was not."""
        with self.transaction():
            self._db.executemany(
                "UPDATE outbox SET sent_at = ? WHERE chunk_id = ? AND row_count = ?",
                ((at, each.chunk_id, each.rows) for each in chunks),
            )

    def waiting(self, sent_before: int, limit: int) -> list[SentChunk]:
        """Chunks sent before then that nobody has confirmed, oldest first."""
        rows = self._db.execute(
            "SELECT chunk_id, row_count, sent_at, rewrites.chunk_id IS NOT NULL"
            " FROM outbox LEFT JOIN rewrites USING (chunk_id)"
            " WHERE sent_at < ? ORDER BY sent_at LIMIT ?",
            (sent_before, limit),
        )
        return [SentChunk(chunk_id, count, at, bool(again)) for chunk_id, count, at, again in rows]

    def confirmed(self, waiting: Iterable[SentChunk]) -> None:
        """These are safe elsewhere: let them go, but for what was rewritten meanwhile."""
        with self.transaction():
            self._db.executemany(
                "DELETE FROM outbox WHERE chunk_id = ? AND row_count = ?",
                ((each.chunk_id, each.rows) for each in waiting),
            )
            self._db.execute(
                "DELETE FROM rewrites WHERE chunk_id NOT IN (SELECT chunk_id FROM outbox)"
            )

    def send_again(self, ids: Iterable[str]) -> None:
        """These were lost on the way."""
        with self.transaction():
            self._db.executemany(
                "UPDATE outbox SET sent_at = NULL WHERE chunk_id = ?", ((each,) for each in ids)
            )

    def drop(self, ids: Iterable[str]) -> None:
        """These are elsewhere, and maybe not as they are here: let them go."""
        keys = [(each,) for each in ids]
        with self.transaction():
            self._db.executemany("DELETE FROM outbox WHERE chunk_id = ?", keys)
            self._db.executemany("DELETE FROM rewrites WHERE chunk_id = ?", keys)

    def unconfirmed(self) -> set[str]:
        """The ids of all chunks in the outbox."""
        return {each for (each,) in self._db.execute("SELECT chunk_id FROM outbox")}

    @property
    def rewrites(self) -> int:
        """How many chunks of the outbox are rewritten ones."""
        ((count,),) = self._db.execute("SELECT count(*) FROM rewrites")
        return int(count)

    @property
    def outbox_bytes(self) -> int:
        """What the payloads in the outbox take."""
        ((size,),) = self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM outbox")
        return int(size)


def id_key(site: str, event_id: str) -> bytes:
    """24 bytes for an id of a site; those that were made one after the other lie so too.

    Raises `ValueError` for what is no UUID.
    """
    return bytes.fromhex(event_id.replace("-", "")) + _site_key(site)


def visitor_key(site: str, visitor: int) -> int:
    """A number for a visitor of a site. Two may share one; then their visits lie together."""
    return (visitor ^ int.from_bytes(_site_key(site), "big")) - _SIGN


@lru_cache(maxsize=65_536)
def _site_key(site: str) -> bytes:
    return hash64(site).to_bytes(8, "big")
