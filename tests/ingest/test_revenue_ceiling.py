"""Revenue above the ceiling is dropped, unless a key vouches for it."""

from __future__ import annotations

import pytest
from tests.ingest.world import SITE, Ingesting, drop_reason, sent

from analytics.event import DropReason
from analytics.person import Scope


@pytest.mark.parametrize(
    ("amount", "currency", "ceiling", "left_out"),
    [
        ("99999999999999", "EUR", None, True),
        ("-99999999999999", "EUR", None, True),
        ("1000000.001", "EUR", None, True),
        ("1000000", "USD", None, False),
        ("20000000", "JPY", None, False),
        ("500000000000", "IRR", None, False),
        ("99999999999999", "IRR", None, True),
        ("99999999999999", "XXX", None, True),
        ("500.01", "EUR", 500, True),
        ("500", "EUR", 500, False),
        ("0", "EUR", 0, False),
        ("99999999999999", "EUR", 10**14, False),
    ],
)
async def test_revenue_above_the_ceiling_is_left_out(
    world: Ingesting, amount: str, currency: str, ceiling: int | None, left_out: bool
) -> None:
    await world.site(revenue_ceiling=ceiling)
    event = sent(url=f"https://{SITE}/", name="Purchase", revenue=amount, currency=currency)
    assert drop_reason(world, event) is (DropReason.REVENUE_CEILING if left_out else None)


async def test_who_has_a_key_is_trusted_with_money(world: Ingesting) -> None:
    secret = await world.key(Scope.EVENTS_WRITE, site=SITE)
    key = world.catalog.keys.find(secret)
    event = sent(url=f"https://{SITE}/", name="Purchase", revenue="5000000", currency="EUR")
    assert drop_reason(world, event, key=key) is None
    assert drop_reason(world, event) is DropReason.REVENUE_CEILING
