"""What a server does now and then: cells, retention, and the salts that are to be forgotten."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from analytics.app import Parts
from analytics.errors import AnalyticsError

log = structlog.get_logger()

_EVERY_S: Final = 20.0
_DAY_MS: Final = 86_400_000


async def maintain(parts: Parts) -> None:
    """Go on until cancelled; a step that fails is tried again the next time."""
    while True:
        try:
            await step(parts)
        except AnalyticsError as exc:
            log.warning("maintenance_failed", error=str(exc))
        await asyncio.sleep(_EVERY_S)


async def step(parts: Parts) -> None:
    """One round of everything that is due."""
    now = parts.clock()
    parts.catalog.salts.of(now // _DAY_MS, today=now // _DAY_MS)  # which drops the old ones
    for site in parts.catalog.sites.all():
        if site.retention_days is not None:
            async with parts.paused():
                deleted = await parts.store.retain(site.domain, now - site.retention_days * _DAY_MS)
            if deleted:
                log.info("retention_applied", site=site.domain, rows=deleted)
    built = await parts.store.build_cells(now)
    if built:
        log.info("cells_built", sites=built)
