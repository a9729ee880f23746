"""A server for each way of answering."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.gateway.ways import NOW, Answers, running

from analytics.catalog.sqlite import SqliteCatalog, salts_beside
from analytics.gateway import direct
from analytics.gateway.connection_limits import BoundedProtocol
from analytics.gateway.gate import Gate
from analytics.ingest.client import TrustedProxies
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import CountryPlaces
from analytics.ingest.module import ingest
from analytics.limiter import Limiter, Limits
from analytics.stream.journal import Journal, JournalLimits


@pytest.fixture
async def answers(tmp_path: Path) -> AsyncIterator[Answers]:
    script = tmp_path / "tracker.js"
    script.write_text("/* */")
    async with (
        SqliteCatalog(tmp_path / "catalog.sqlite") as catalog,
        Journal(tmp_path / "journal", JournalLimits(min_free_bytes=0)) as journal,
    ):
        await catalog.sites.add("example.com", timezone="Etc/UTC")
        module = ingest(
            log=journal,
            enricher=Enricher(
                sites=catalog.sites,
                keys=catalog.keys,
                salts=catalog.salts,
                places=CountryPlaces(),
                clock=lambda: NOW,
            ),
            trust=TrustedProxies(["127.0.0.0/8"]),
            limits=Limits(Limiter(1, 5), Limiter(0, 1)),
            places=CountryPlaces(),
            script=script,
            max_event_bytes=10_000,
            max_batch_bytes=50_000,
        )
        gate = Gate([module], ["ingest"])
        async with (
            running(gate, "httptools") as one,
            running(gate, direct.protocol(module.event)) as other,
            running(gate, BoundedProtocol) as bounded,
        ):
            yield Answers(
                module,
                {"uvicorn": one, "direct": other, "bounded": bounded},
                catalog,
                salts_beside(tmp_path / "catalog.sqlite"),
            )
