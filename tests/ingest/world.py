"""The ingest module over a real catalog and a real journal, asked as a server asks it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.types import ASGIApp, Message

from analytics import assets
from analytics.catalog.sqlite import SqliteCatalog
from analytics.event import Drop, DropReason, Hit, LogRecord
from analytics.ingest.client import Client, TrustedProxies
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import CountryPlaces
from analytics.ingest.machine_ranges import MachineRanges
from analytics.ingest.module import IngestModule, ingest
from analytics.ingest.salted_days import salts_needed
from analytics.ingest.wire.base import RawEvent
from analytics.limiter import Limiter, Limits
from analytics.person import Key, Scope
from analytics.site import Site
from analytics.stream import record
from analytics.stream.base import Position
from analytics.stream.journal import Journal, JournalLimits
from analytics.units import DAY_MS

NOW: Final = 1_795_478_400_000
SITE: Final = "example.com"
FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ADDRESS: Final = "203.0.113.9"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Ingesting:
    """One site, and everything that takes its events in."""

    catalog: SqliteCatalog
    journal: Journal
    now: int = NOW
    limiter: Limiter = field(default_factory=lambda: Limiter(0, 1))
    key_limiter: Limiter = field(default_factory=lambda: Limiter(0, 1))
    max_event_bytes: int = 10_000
    max_open_batch_bytes: int = 200_000
    ranges: MachineRanges = field(default_factory=MachineRanges)

    def __post_init__(self) -> None:
        places = CountryPlaces()
        self.enricher = Enricher(
            sites=self.catalog.sites,
            keys=self.catalog.keys,
            salts=self.catalog.salts,
            places=places,
            clock=lambda: self.now,
            ranges=self.ranges,
        )
        self.module: IngestModule = ingest(
            log=self.journal,
            enricher=self.enricher,
            trust=TrustedProxies(["127.0.0.0/8"]),
            limits=Limits(self.limiter, self.key_limiter),
            places=places,
            script=assets.tracker(),
            max_event_bytes=self.max_event_bytes,
            max_batch_bytes=200_000,
            max_open_batch_bytes=self.max_open_batch_bytes,
        )

    async def site(self, **changes: Any) -> Site:
        site = self.catalog.sites.get(SITE)
        assert site is not None
        changed = msgspec.structs.replace(site, **changes)
        await self.catalog.sites.edit(changed.domain, lambda _: changed)
        return changed

    async def salted(self, *moments: int) -> None:
        """Make the salts that a server has made before its day begins, and those of *moments*."""
        today = self.now // DAY_MS
        days = [*salts_needed(today), *(moment // DAY_MS for moment in moments)]
        await self.catalog.salts.make(days, today=today)

    async def key(self, *scopes: Scope, site: str | None = None) -> str:
        _key, secret = await self.catalog.keys.create(scopes=scopes, site=site)
        return secret

    def accepted(
        self, sent: RawEvent, client: Client | None = None, key: Key | None = None
    ) -> Hit | Drop:
        """The one record that *sent* makes."""
        (made,) = self.enricher.accept(sent, client or visitor(), key)
        return made

    def hit(self, sent: RawEvent, client: Client | None = None, key: Key | None = None) -> Hit:
        made = self.accepted(sent, client, key)
        assert isinstance(made, Hit), made
        return made

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[Message] = b"",
        *,
        query: str = "",
        peer: str | None = "127.0.0.1",
        application: ASGIApp | None = None,
        **headers: str,
    ) -> Answer:
        """The answer to one request; a header is named as Python allows, `user_agent`."""
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "client": None if peer is None else (peer, 50_000),
            "headers": [
                (name.replace("_", "-").encode(), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        coming = iter(whole if isinstance(body, bytes) else body)
        said: list[Message] = []

        async def receive() -> Message:
            return next(coming, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            said.append(message)

        await (application or self.module.paths[path])(scope, receive, send)
        start, *rest = said
        return Answer(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in rest),
        )

    async def post(self, *events: object, path: str = "/api/event", **headers: str) -> Answer:
        body = b"\n".join(json.dumps(event).encode() for event in events)
        return await self.ask("POST", path, body, **headers)

    async def records(self) -> list[LogRecord]:
        """Everything that is in the log."""
        found: list[LogRecord] = []
        if self.journal.next_offset == 0:
            return found
        async for batch in self.journal.read(Position(0, 0), limit=1000):
            found += map(record.decode, batch.records)
            if batch.end.offset == self.journal.next_offset:
                break
        return found


@asynccontextmanager
async def ingesting(folder: Path, **changes: Any) -> AsyncIterator[Ingesting]:
    async with (
        SqliteCatalog(":memory:") as catalog,
        Journal(folder / "journal", JournalLimits(1 << 20, min_free_bytes=0)) as journal,
    ):
        await catalog.sites.add(SITE, timezone="Etc/UTC")
        world = Ingesting(catalog, journal, **changes)
        await world.salted()
        yield world


def visitor(**changes: object) -> Client:
    """Somebody with a browser."""
    usual = Client(ADDRESS, FIREFOX, "de", opted_out=False, authorization="")
    return usual._replace(**changes)


def sent(**changes: Any) -> RawEvent:
    """A pageview, as its sender describes it."""
    return RawEvent(**{"domains": (SITE,), "url": f"https://{SITE}/a", **changes})


def event(**changes: object) -> dict[str, object]:
    """A pageview, as it is posted."""
    return {"n": "pageview", "u": f"https://{SITE}/a", "d": SITE, **changes}


def drop_reason(world: Ingesting, event: RawEvent, **more: object) -> DropReason | None:
    """Return why *event* is dropped; None if it becomes a hit."""
    record = world.accepted(event, **more)
    return record.reason if isinstance(record, Drop) else None
