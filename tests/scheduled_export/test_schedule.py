"""Exports on a schedule: to a folder, and to a real S3-compatible server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3
import duckdb
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from analytics.errors import Misconfigured, Unavailable
from analytics.resources import Resources
from analytics.scheduled_export.schedule import ExportOutcome, ScheduledExport
from analytics.settings import Settings
from analytics.settings.exports import ExportsSettings
from analytics.startup import open_resources
from analytics.testing import sample
from analytics.testing.builders import NOON, hit
from analytics.units import DAY_MS, HOUR_MS

A, B = "a.example", "b.example"
TODAY = NOON + 3 * DAY_MS


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Resources]:
    """Two sites; A has events on two days and today, B on one day."""
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        await parts.catalog.sites.add(A, timezone="Asia/Tehran")
        await parts.catalog.sites.add(B, timezone="Etc/UTC")
        await parts.store.write(
            sample.batch(
                [
                    hit(NOON, site=A, path="/1"),
                    hit(NOON + 1, site=A, path="/2"),
                    hit(NOON + DAY_MS, site=A, path="/3"),
                    hit(TODAY, site=A, path="/today"),
                    hit(NOON, site=B, path="/b"),
                ]
            )
        )
        yield parts


class Clock:
    def __init__(self) -> None:
        self.now = TODAY

    def __call__(self) -> int:
        return self.now


def export(parts: Resources, clock: Clock, target: str, **more: object) -> ScheduledExport:
    return ScheduledExport(
        ExportsSettings.model_validate({"target": target, **more}),
        catalog=parts.catalog,
        store=parts.store,
        scratch=parts.folder.scratch,
        progress=parts.folder.exports,
        clock=clock,
        settle=parts.settle,
    )


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def paths(folder: Path) -> list[tuple[str, str, str]]:
    """What DuckDB reads of the partitions."""
    read = f"FROM read_parquet('{folder}/*/*/*.parquet', hive_partitioning = true)"
    return duckdb.sql(f"SELECT site, CAST(day AS VARCHAR), path {read} ORDER BY ALL").fetchall()


async def test_each_whole_day_of_each_site_is_a_file(parts: Resources, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    told: list[tuple[int, int, str]] = []
    done = await export(parts, Clock(), str(folder)).run(lambda *each: told.append(each))
    assert done == ExportOutcome(written=3, deleted=0, rows=4)
    assert [(at, of) for at, of, _ in told] == [(0, 3), (1, 3), (2, 3)]
    assert files(folder) == [
        "site=a.example/day=2026-11-24/events.parquet",
        "site=a.example/day=2026-11-25/events.parquet",
        "site=b.example/day=2026-11-24/events.parquet",
    ]
    assert paths(folder) == [
        (A, "2026-11-24", "/1"),
        (A, "2026-11-24", "/2"),
        (A, "2026-11-25", "/3"),
        (B, "2026-11-24", "/b"),
    ]
    assert [*parts.folder.scratch.iterdir()] == []


async def test_only_a_day_that_changed_is_exported_again(parts: Resources, tmp_path: Path) -> None:
    folder, clock = tmp_path / "out", Clock()
    await export(parts, clock, str(folder)).run()
    assert await export(parts, clock, str(folder)).run() == ExportOutcome(0, 0, 0)
    await parts.store.write(sample.batch([hit(NOON + DAY_MS + 5, site=A, path="/late")]))
    assert await export(parts, clock, str(folder)).run() == ExportOutcome(1, 0, 2)
    assert (A, "2026-11-25", "/late") in paths(folder)
    clock.now += DAY_MS
    assert await export(parts, clock, str(folder)).run() == ExportOutcome(1, 0, 1)
    await parts.store.delete_site(B)
    assert await export(parts, clock, str(folder)).run() == ExportOutcome(0, 1, 0)
    assert B not in {site for site, _, _ in paths(folder)}
    elsewhere = tmp_path / "elsewhere"
    assert (await export(parts, clock, str(elsewhere)).run()).written == 3


async def test_a_run_that_was_interrupted_goes_on(parts: Resources, tmp_path: Path) -> None:
    folder, clock = tmp_path / "out", Clock()
    blocked = folder / "site=b.example"
    folder.mkdir()
    blocked.touch()  # where a folder is to be
    first = export(parts, clock, str(folder))
    with pytest.raises(Unavailable, match=r"site=b\.example"):
        await first.run()
    assert first.finished_at == 0
    assert first.waiting == 0
    blocked.unlink()
    again = export(parts, clock, str(folder))
    assert await again.run() == ExportOutcome(written=1, deleted=0, rows=1)
    assert again.finished_at == TODAY


async def test_a_run_begins_once_a_day_at_its_hour(parts: Resources, tmp_path: Path) -> None:
    folder, clock = tmp_path / "out", Clock()  # it is noon
    daily = export(parts, clock, str(folder), hour=13)
    await daily.step()
    assert daily.finished_at == TODAY  # yesterday's was missed
    clock.now = TODAY + HOUR_MS - 1
    await daily.step()
    assert daily.finished_at == TODAY
    clock.now = TODAY + HOUR_MS
    again = export(parts, clock, str(folder), hour=13)  # a restart
    await again.step()
    assert again.finished_at == TODAY + HOUR_MS


async def test_only_the_sites_that_are_named_are_exported(parts: Resources, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    await export(parts, Clock(), str(folder), sites=(B,)).run()
    assert files(folder) == ["site=b.example/day=2026-11-24/events.parquet"]
    with pytest.raises(Misconfigured, match=r"c\.example"):
        await export(parts, Clock(), str(folder), sites=("c.example",)).run()


@pytest.fixture
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


async def test_a_bucket_takes_the_same_files(parts: Resources, s3: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
    )
    client.create_bucket(Bucket="archive")

    def names() -> list[str]:
        listed = client.list_objects_v2(Bucket="archive").get("Contents", [])
        return sorted(each["Key"] for each in listed)

    where = {
        "s3_endpoint": s3,
        "s3_access_key_id": "k",
        "s3_secret_access_key": SecretStr("s"),
    }
    bucket = export(parts, Clock(), "s3://archive/visits", **where)
    assert await bucket.run() == ExportOutcome(written=3, deleted=0, rows=4)
    assert names() == [
        "visits/site=a.example/day=2026-11-24/events.parquet",
        "visits/site=a.example/day=2026-11-25/events.parquet",
        "visits/site=b.example/day=2026-11-24/events.parquet",
    ]
    body = client.get_object(Bucket="archive", Key=names()[0])["Body"].read()
    assert body[:4] == body[-4:] == b"PAR1"
    await parts.store.delete_site(B)
    assert (await bucket.run()).deleted == 1
    assert len(names()) == 2
    missing = export(parts, Clock(), "s3://nothing", **where)
    with pytest.raises(Unavailable, match="s3://nothing"):
        await missing.run()
