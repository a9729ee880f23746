"""Sample traffic of a made-up site, the same every time."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar
from uuid import UUID

from analytics.event import ENGAGEMENT, PAGEVIEW, Drop, DropReason, Hit, LogRecord
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.units import DAY_MS

_Kind = TypeVar("_Kind")

_PAGES: Final = (
    ("/", "Home", 30),
    ("/pricing", "Pricing", 14),
    ("/docs/quickstart", "Quickstart", 13),
    ("/blog/counting-without-cookies", "Counting without cookies", 11),
    ("/docs/events", "Custom events", 7),
    ("/blog/why-we-left-the-cloud", "Why we left the cloud", 6),
    ("/features", "Features", 6),
    ("/docs/self-hosting", "Self-hosting", 5),
    ("/about", "About", 3),
    ("/changelog", "Changelog", 3),
    ("/docs/api", "API reference", 3),
    ("/contact", "Contact", 2),
    ("/blog/a-ledger-for-every-hit-and-why-it-must-balance-to-the-last-one", "A ledger", 2),
)
_SOURCES: Final[tuple[tuple[dict[str, str], int], ...]] = (
    ({}, 34),
    ({"referrer": "google.com/"}, 27),
    ({"referrer": "news.ycombinator.com/item"}, 9),
    ({"referrer": "github.com/explore"}, 7),
    ({"referrer": "duckduckgo.com/"}, 6),
    ({"referrer": "reddit.com/r/selfhosted"}, 5),
    ({"referrer": "bing.com/search"}, 4),
    ({"referrer": "chatgpt.com/"}, 3),
    ({"referrer": "t.co/"}, 2),
    ({"referrer": "linkedin.com/feed"}, 2),
    ({"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "autumn-letter"}, 5),
    ({"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "brand"}, 3),
)
_PLACES: Final = (
    (("DE", "DE-BE", "Berlin", "de-de"), 22),
    (("US", "US-CA", "San Francisco", "en-us"), 20),
    (("GB", "GB-LND", "London", "en-gb"), 11),
    (("FR", "FR-IDF", "Paris", "fr-fr"), 9),
    (("NL", "NL-NH", "Amsterdam", "nl-nl"), 8),
    (("IN", "IN-KA", "Bengaluru", "en-in"), 7),
    (("IR", "IR-23", "Tehran", "fa-ir"), 6),
    (("JP", "JP-13", "Tokyo", "ja-jp"), 5),
    (("BR", "BR-SP", "São Paulo", "pt-br"), 5),
    (("PL", "PL-14", "Warsaw", "pl-pl"), 4),
    (("CA", "CA-ON", "Toronto", "en-ca"), 4),
)
_AGENTS: Final = (
    (("Desktop", "Chrome", "142", "Windows", "11", "1920x1080"), 30),
    (("Mobile", "Mobile Safari", "26", "iOS", "26.1", "390x844"), 24),
    (("Desktop", "Firefox", "145", "Linux", "", "2560x1440"), 12),
    (("Mobile", "Chrome Mobile", "142", "Android", "16", "412x915"), 14),
    (("Desktop", "Safari", "26", "Mac OS X", "26", "1512x982"), 11),
    (("Desktop", "Edge", "142", "Windows", "11", "1536x864"), 6),
    (("Tablet", "Mobile Safari", "26", "iOS", "26.1", "820x1180"), 3),
)


def records(site: str, *, until: int, days: int, a_day: int, seed: int = 7) -> list[LogRecord]:
    """Return about *a_day* visits on each of the *days* before *until* (UTC ms).

    Like a real site's, they have quiet nights and weekends, growth, returning visitors, and drops.
    """
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    hits: list[Hit | Drop] = []
    for day in range(days):
        midnight = until - (days - day) * DAY_MS
        weekend = (midnight // DAY_MS + 3) % 7 >= 5
        swing = 1 + 0.12 * math.sin(day / 4) + 0.5 * day / days + dice.uniform(-0.08, 0.08)
        for _ in range(int(a_day * swing * (0.6 if weekend else 1))):
            start = midnight + int(dice.betavariate(2.6, 2.2) * DAY_MS)
            hits.extend(_visit(site, start, dice, a_day * days // 3))
        if dice.random() < 0.4:
            hits.append(Drop(site=site, received_at=midnight, reason=DropReason.SHIELD_IP))
    hits.sort(key=lambda record: record.received_at)
    return [record for record in hits if record.received_at <= until]


def _visit(site: str, at: int, dice: random.Random, people: int) -> Iterator[Hit]:
    visitor = dice.randrange(1, max(people, 2))
    taste = random.Random(visitor)  # noqa: S311 - the same person has the same machine and place
    country, region, city, language = _pick(_PLACES, taste)
    device, browser, version, os, os_version, screen = _pick(_AGENTS, taste)
    source = _pick(_SOURCES, dice)

    def hit(name: str, path: str, title: str, **more: object) -> Hit:
        values: dict[str, object] = {
            **(source if name == PAGEVIEW else {}),
            "event_id": str(UUID(int=dice.getrandbits(128))),
            "site": site,
            "ts": at,
            "received_at": at,
            "visitor": visitor,
            "name": name,
            "hostname": site,
            "path": path,
            "title": title,
            "country": country,
            "region": region,
            "city": city,
            "language": language,
            "device": device,
            "browser": browser,
            "browser_version": version,
            "os": os,
            "os_version": os_version,
            "screen": screen,
            **more,
        }
        return Hit(**values)  # type: ignore[arg-type]

    while True:
        path, title = _pick([((path, title), weight) for path, title, weight in _PAGES], dice)
        yield hit(PAGEVIEW, path, title)
        source = {}
        engaged = int(dice.expovariate(1 / 40_000)) + 1000
        at += engaged
        yield hit(ENGAGEMENT, path, title, engaged_ms=engaged, scroll_depth=dice.randint(10, 100))
        if path == "/pricing" and dice.random() < 0.25:
            plan = dice.choice(["free", "team", "team", "business"])
            yield hit("signup", path, title, props={"plan": plan})
        if dice.random() < 0.08:
            yield hit("outbound link", path, title, props={"url": "https://github.com/"})
        if dice.random() < 0.5:
            return
        at += 1000


def _pick(choices: Sequence[tuple[_Kind, int]], dice: random.Random) -> _Kind:
    return dice.choices([kind for kind, _ in choices], [weight for _, weight in choices])[0]


def batch(
    log_records: Sequence[LogRecord], *, start: int = 0, state: PipelineState | None = None
) -> WriteBatch:
    """Return the batch that the pipeline makes of *log_records*, for a store to write."""
    outcome = fold(list(enumerate(log_records, start)), state or PipelineState(Sources()), set())
    return WriteBatch(outcome.rows, outcome.ledger, (), 0, start + len(log_records))
