"""Open a data folder: the mode that the settings choose, and everything that it consists of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from analytics import embedded, extras
from analytics.admin.workspace import Workspace
from analytics.catalog.shared import SharedCatalog
from analytics.catalog.sqlite import SqliteCatalog
from analytics.data_folder import DataFolder
from analytics.guard import Guard
from analytics.ingest import geolocation
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import open_places
from analytics.ingest.machine_ranges import MachineRanges
from analytics.ingest.spam import SpamReferrers
from analytics.registry import guarded, registry
from analytics.resources import CommonResources, Resources, clock
from analytics.settings import Settings
from analytics.store import guards


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Hold the data folder, with everything in it open, while the block runs.

    Raise `FolderInUse`, `Misconfigured`, and what opening a backend raises.
    """
    folder = DataFolder(settings.data)
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.held())
        ignite = guards.ignite(settings.ignite)
        catalog = _catalog(settings, folder, ignite)
        await stack.enter_async_context(catalog)
        geo = geolocation.guard()
        enricher = Enricher(
            sites=catalog.sites,
            keys=catalog.keys,
            salts=catalog.salts,
            places=open_places(settings.ingest.mmdb, geo),
            clock=clock,
            spam=SpamReferrers(settings.ingest.spam_referrers),
            ranges=MachineRanges(settings.ingest.machine_ranges),
        )
        listing = guarded.guard(retry_after_s=settings.registry.heartbeat_s)
        replicas = await stack.enter_async_context(registry(settings, clock=clock, guard=listing))
        watched = (
            *([geo] if settings.ingest.mmdb is not None else ()),
            *([listing.breaker] if settings.registry.backend != "none" else ()),
        )
        common = CommonResources(settings, folder, catalog, enricher, watched, replicas)
        if settings.is_replica:
            # Here, because it needs what a plain installation leaves out.
            from analytics import replica

            yield await replica.opened(common, stack, ignite)
        else:
            yield await embedded.opened(common, stack)


def _catalog(
    settings: Settings, folder: DataFolder, ignite: Guard
) -> SqliteCatalog | SharedCatalog:
    """Return the catalog: in the folder, or one that all replicas share."""
    if not settings.is_replica:
        return SqliteCatalog(folder.catalog)
    extras.require("store.backend ignite", "pyignite", "pyarrow")
    from analytics.store.ignite.documents import SharedDocument

    return SharedCatalog(
        SharedDocument(settings.ignite, "catalog", ignite),
        folder.catalog,
        salts=SharedDocument(settings.ignite, "salts", ignite),
    )


@asynccontextmanager
async def open_workspace(settings: Settings) -> AsyncIterator[Workspace]:
    """Open the data folder for one command, while no server holds it."""
    async with open_resources(settings) as resources:
        yield resources
