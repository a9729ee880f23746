"""The state of one partition of the log, in a SQLite file of its own.

It holds the offset of the first unprocessed record, the event ids of the last days, the visits that
may still continue, the erasures, dead letters, and the outbox: chunks not yet confirmed by
Cassandra. One transaction per batch changes all of it, so that a batch is processed once, however
often Spark delivers it. Different processes may open the file; they write one at a time.
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
from analytics.event import Erasure, Hit
from analytics.job.partition import state_file
from analytics.job.partition.erasures import PartitionErasures
from analytics.pipeline.erasure import ends
from analytics.pipeline.ledger import DeadLetter
from analytics.pipeline.sessions import REACH_MS
from analytics.pipeline.visit import Visit
from analytics.stable_hash import hash64
from analytics.store.chunks.chunk import Chunk, ChunkKind
from analytics.units import DAY_MS

ID_DAYS: Final = 3
"""Event ids are kept for at least one day less than this."""
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
    """A chunk in the outbox that was sent to Ignite and that Cassandra has not confirmed."""

    chunk_id: str
    rows: int
    sent_at: int
    rewritten: bool
    """Whether it replaces one that was sent before."""


class PartitionState:
    """An open state file. Use it from one thread.

    With *shared*, other machines may open the file too; it then has no write-ahead log, which needs
    memory that all processes share. Every process must open a file with the same value.
    Every method raises `StoreUnavailable` if the file cannot be used.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._db = state_file.opened(path, busy_s=_BUSY_S)
        try:
            self._db.execute(f"PRAGMA journal_mode = {'DELETE' if shared else 'WAL'}")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            self.erasures = PartitionErasures(self._db)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes in the block, or none; other writers wait until it ends.

        A nested transaction joins the outer one.
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
        """Yield the rows of `select IN (keys)`, with 500 keys a statement for speed."""
        rest = iter(sorted(keys))
        while some := tuple(islice(rest, _AT_ONCE)):
            yield from self._db.execute(f"{select} IN ({','.join('?' * len(some))})", some)

    # How far

    @property
    def next_offset(self) -> int | None:
        """The offset of the first unprocessed record; None for a new file."""
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
        """Return the (site, event_id)s of *hits* that were stored before."""
        pairs = {id_key(hit.site, hit.event_id): (hit.site, hit.event_id) for hit in hits}
        return {
            pairs[key]
            for table in self._id_tables()
            for (key,) in self._among(f"SELECT id FROM {table} WHERE id", pairs)  # noqa: S608 - a name of our own
        }

    def remember_ids(self, ids: Iterable[tuple[str, str]], received_at: int) -> None:
        """Store the (site, event_id)s of new rows, and drop those that are too old.

        *received_at* is the latest of theirs (UTC ms).
        """
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
        tables = self._db.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'ids_[0-9]*'")
        return sorted((name for (name,) in tables), reverse=True)

    # Visits

    def visits(self, hits: Iterable[Hit]) -> list[Visit]:
        """Return every visit that one of *hits* may continue."""
        keys = {visitor_key(hit.site, hit.visitor) for hit in hits}
        visits: list[Visit] = []
        for (body,) in self._among("SELECT body FROM visits WHERE visitor", keys):
            visits += _decode(body)
        return visits

    def remember_visits(self, visits: Iterable[Visit], received_at: int) -> None:
        """Store *visits*, replacing all earlier visits of the same visitors."""
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
        """Delete the visits that *erasure* removes entirely; later hits open new ones."""
        only = "" if erasure.visitor is None else " WHERE visitor = ?"
        keys = () if erasure.visitor is None else (visitor_key(erasure.site, erasure.visitor),)
        query = f"SELECT visitor, body FROM visits{only}"  # noqa: S608 - our own
        for key, body in self._db.execute(query, keys).fetchall():
            visits = _decode(body)
            remaining = [visit for visit in visits if not ends(erasure, visit)]
            if len(remaining) < len(visits):
                self._db.execute(
                    "UPDATE visits SET body = ? WHERE visitor = ?", (_encode(remaining), key)
                )

    def scrub(self) -> None:
        """Empty the write-ahead log, so that no deleted data remain in it.

        While another process uses the file, part of the log may remain until the next call.
        """
        sqlite_file.empty_log(self._db)

    # Dead letters

    def note_dead(self, letters: Iterable[DeadLetter]) -> None:
        """Store *letters* until they have been sent to their topic."""
        self._db.executemany("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?)", letters)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the first *limit* dead letters that wait to be sent, in offset order."""
        rows = self._db.execute("SELECT * FROM dead_letters ORDER BY log_offset LIMIT ?", (limit,))
        return [DeadLetter(*row) for row in rows]

    def dead_letters_sent(self, letters: Iterable[DeadLetter]) -> None:
        """Delete *letters*, which have been sent to their topic."""
        with self.transaction():
            self._db.executemany(
                "DELETE FROM dead_letters WHERE log_offset = ?",
                ((each.offset,) for each in letters),
            )

    # The outbox

    def put_out(self, chunks: Sequence[Chunk]) -> None:
        """Put *chunks* into the outbox, to be sent."""
        self._db.executemany(
            "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", chunks
        )

    def put_out_rewritten(self, chunks: Sequence[Chunk]) -> None:
        """Put rewritten *chunks* into the outbox, to replace those with the same ids."""
        with self.transaction():
            self.put_out(chunks)
            self._db.executemany(
                "INSERT OR IGNORE INTO rewrites VALUES (?)", ((each.chunk_id,) for each in chunks)
            )

    def unsent(self, limit: int, *, rewritten: bool = False) -> list[Chunk]:
        """Return the first *limit* unsent chunks, new or *rewritten* ones, in offset order."""
        rows = self._db.execute(
            "SELECT outbox.* FROM outbox LEFT JOIN rewrites USING (chunk_id) WHERE sent_at IS NULL"
            " AND (rewrites.chunk_id IS NOT NULL) = ? ORDER BY first_offset LIMIT ?",
            (rewritten, limit),
        ).fetchall()
        return [Chunk(row[0], ChunkKind(row[1]), *row[2:10]) for row in rows]

    def kept(self, after: str, limit: int) -> list[Chunk]:
        """Return the first *limit* chunks with ids greater than *after*, in id order."""
        rows = self._db.execute(
            "SELECT * FROM outbox WHERE chunk_id > ? ORDER BY chunk_id LIMIT ?", (after, limit)
        ).fetchall()
        return [Chunk(row[0], ChunkKind(row[1]), *row[2:10]) for row in rows]

    def sent(self, chunks: Iterable[Chunk], at: int) -> None:
        """Mark *chunks* as sent at *at* (UTC ms), except those rewritten since they were read."""
        with self.transaction():
            self._db.executemany(
                "UPDATE outbox SET sent_at = ? WHERE chunk_id = ? AND row_count = ?",
                ((at, each.chunk_id, each.rows) for each in chunks),
            )

    def waiting(self, sent_before: int, limit: int) -> list[SentChunk]:
        """Return the *limit* oldest unconfirmed chunks sent before *sent_before* (UTC ms)."""
        rows = self._db.execute(
            "SELECT chunk_id, row_count, sent_at, rewrites.chunk_id IS NOT NULL"
            " FROM outbox LEFT JOIN rewrites USING (chunk_id)"
            " WHERE sent_at < ? ORDER BY sent_at LIMIT ?",
            (sent_before, limit),
        )
        return [SentChunk(chunk_id, count, at, bool(again)) for chunk_id, count, at, again in rows]

    def confirmed(self, waiting: Iterable[SentChunk]) -> None:
        """Remove chunks that Cassandra has, except those rewritten since they were read."""
        with self.transaction():
            self._db.executemany(
                "DELETE FROM outbox WHERE chunk_id = ? AND row_count = ?",
                ((each.chunk_id, each.rows) for each in waiting),
            )
            self._db.execute(
                "DELETE FROM rewrites WHERE chunk_id NOT IN (SELECT chunk_id FROM outbox)"
            )

    def send_again(self, ids: Iterable[str]) -> None:
        """Mark the chunks with these *ids* as unsent."""
        with self.transaction():
            self._db.executemany(
                "UPDATE outbox SET sent_at = NULL WHERE chunk_id = ?", ((each,) for each in ids)
            )

    def drop(self, ids: Iterable[str]) -> None:
        """Remove the chunks with these *ids* whatever their version."""
        keys = [(each,) for each in ids]
        with self.transaction():
            self._db.executemany("DELETE FROM outbox WHERE chunk_id = ?", keys)
            self._db.executemany("DELETE FROM rewrites WHERE chunk_id = ?", keys)

    def unconfirmed(self) -> set[str]:
        """Return the ids of all chunks in the outbox."""
        return {each for (each,) in self._db.execute("SELECT chunk_id FROM outbox")}

    @property
    def rewrites(self) -> int:
        """The number of rewritten chunks in the outbox."""
        ((count,),) = self._db.execute("SELECT count(*) FROM rewrites")
        return int(count)

    @property
    def outbox_bytes(self) -> int:
        """The total size of the payloads in the outbox, in bytes."""
        ((size,),) = self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM outbox")
        return int(size)


def id_key(site: str, event_id: str) -> bytes:
    """Return a 24-byte key for an event id of a site; time-ordered UUIDs sort by time.

    Raises `ValueError` if *event_id* is not a UUID.
    """
    return bytes.fromhex(event_id.replace("-", "")) + _site_key(site)


def visitor_key(site: str, visitor: int) -> int:
    """Return a 64-bit key for a visitor of a site. Visitors whose keys collide share one row."""
    return (visitor ^ int.from_bytes(_site_key(site), "big")) - _SIGN


@lru_cache(maxsize=65_536)
def _site_key(site: str) -> bytes:
    return hash64(site).to_bytes(8, "big")
