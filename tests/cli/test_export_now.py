"""`analytics export-now`, and what a server says of the scheduled export."""

from __future__ import annotations

from pathlib import Path

import httpx2
from tests.cli.conftest import called
from tests.server import Server

LINE = '192.0.2.1 - - [24/Nov/2025:12:00:00 +0000] "GET /a HTTP/1.1" 200 9 "-" "Mozilla/5.0"\n'


async def test_a_run_is_made_at_once_and_by_the_server(tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "out"
    wanted = {"ANALYTICS_EXPORTS__TARGET": str(target)}
    called("--data", data, "site", "add", "a.example")
    imported = called(
        "--data", data, "import", "access-log", "-", "--site", "a.example", stdin=LINE.encode()
    )
    assert imported.code == 0, imported.err
    refused = called("--data", data, "export-now")
    assert (refused.code, "exports.target" in refused.err) == (2, True)
    done = called("--data", data, "export-now", "--json", **wanted)
    assert done.json == {"target": str(target), "written": 1, "deleted": 0, "rows": 1}
    assert (target / "site=a.example" / "day=2025-11-24" / "events.parquet").is_file()
    server = Server(data)
    await server.start(**wanted)
    try:
        async with httpx2.AsyncClient(base_url=server.url) as web:
            ready = (await web.get("/health/ready")).json()
            assert "exports" in ready["background"]
            metrics = (await web.get("/metrics")).text
            assert "analytics_export_finished_timestamp_seconds" in metrics
            assert "analytics_export_waiting_days 0.0" in metrics
        again = await server.command("export-now")
        assert again.startswith("0 days with 0 events are written")
    finally:
        await server.stop()
