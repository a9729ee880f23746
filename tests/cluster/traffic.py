"""Traffic with everything in it that two ways of counting could disagree on."""

from __future__ import annotations

import random
from collections.abc import Iterator

from msgspec import structs

from analytics.event import Hit, LogRecord
from analytics.testing import sample

SITES = {"a.example": "Europe/Berlin", "b.example": "Asia/Tehran", "c.example": "America/Santiago"}
UNTIL = 1_795_521_600_000
"""2026-11-24 12:00 UTC."""
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
_A_VISIT = 4.65
"""How many records a visit of the sample has, about."""


def records(count: int, *, days: int = 6, seed: int = 3) -> list[LogRecord]:
    """About *count* records of several sites, in the order of the log: late ones, copies,
    visits over midnight, machines, custom events with properties and revenue."""
    dice = random.Random(seed)
    made: list[LogRecord] = []
    for number, site in enumerate(SITES):
        share = (0.6, 0.3, 0.1)[number]
        a_day = round(count * share / days / _A_VISIT)
        for record in sample.records(site, until=UNTIL, days=days, a_day=a_day, seed=seed + number):
            made.extend(_troubled(record, dice) if isinstance(record, Hit) else [record])
    made.sort(key=lambda record: record.received_at)
    return made


def _troubled(hit: Hit, dice: random.Random) -> Iterator[Hit]:
    if hit.name == "signup":
        amount = f"{dice.randrange(1, 40_000) / 100:.2f}"
        hit = structs.replace(hit, revenue=amount, currency="EUR")
    if hit.visitor % 31 == 0:
        machine = ("GPTBot", "curl", "Googlebot (unverified)", "", "Chrome")[hit.visitor % 5]
        hit = structs.replace(hit, bot="agent", browser=machine)
    if dice.random() < 0.04:
        hit = structs.replace(hit, received_at=hit.received_at + dice.randrange(MINUTE, 20 * HOUR))
    yield hit
    while dice.random() < 0.03:
        yield structs.replace(hit, received_at=hit.received_at + dice.randrange(20 * HOUR))
