"""The embedded mode: journal, projector and DuckDB store in this process."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from analytics.errors import Misconfigured
from analytics.gateway import metrics
from analytics.journal_erasure import JournalErasure
from analytics.journal_rebuild import JournalRebuild
from analytics.projector import Projector
from analytics.resources import CommonResources, Resources, clock
from analytics.store.duckdb import open_store
from analytics.store.freshness import Freshness
from analytics.store.lag import LagGauge
from analytics.stream.journal import Journal, JournalLimits


async def opened(common: CommonResources, stack: AsyncExitStack) -> Resources:
    """Open everything in this process; *stack* closes it. Raise `Misconfigured`, `Corrupt`."""
    settings, folder = common.settings, common.folder
    if settings.log.backend != "journal":
        raise Misconfigured(
            "log.backend kafka needs store.backend ignite: the Spark job processes what is in Kafka"
        )
    store = await stack.enter_async_context(
        open_store(
            settings.store,
            folder.store,
            timezones=common.timezones,
            goals=common.goals,
            lag=lambda: gauge.lag(),
        )
    )
    journal = await stack.enter_async_context(
        Journal(folder.journal, JournalLimits.of(settings.journal))
    )
    projector = await stack.enter_async_context(Projector(journal, store, clock=clock))

    async def ends() -> Mapping[int, int]:
        return {0: journal.next_offset}

    freshness = await stack.enter_async_context(
        Freshness(ends, lambda: {0: projector.next_offset}, clock, every_s=1)
    )
    gauge = LagGauge(freshness, lambda: journal.next_offset - projector.next_offset, clock)
    return Resources(
        settings=settings,
        folder=folder,
        catalog=common.catalog,
        store=store,
        erases=JournalErasure(journal, projector, store, clock),
        rebuilds=JournalRebuild(projector, store),
        log=journal,
        clock=clock,
        settle=projector.settle,
        paused=projector.paused,
        formats=common.formats(),
        figures=projector,
        enricher=common.enricher,
        checks={
            "journal": lambda: journal.fault,
        },
        loops=[*projector.loops, freshness.loop, *common.catalog.loops],
        breakers=common.breakers,
        gauges=_gauges(journal, projector),
        registry=common.registry,
        behind=lambda: journal.next_offset - projector.next_offset,
        lag=gauge.lag,
    )


def _gauges(journal: Journal, projector: Projector) -> metrics.Sources:
    return {
        "analytics_log_lag_records": (
            "Durable records that are not in the figures yet.",
            lambda: journal.next_offset - projector.next_offset,
        ),
        "analytics_log_next_offset": (
            "Records appended since the folder was made.",
            lambda: journal.next_offset,
        ),
        "analytics_journal_bytes": (
            "Size of the journal on disk, in bytes.",
            lambda: journal.backlog_bytes,
        ),
        "analytics_journal_sync_seconds": (
            "Duration of recent syncs of the journal.",
            lambda: journal.sync_seconds,
        ),
    }
