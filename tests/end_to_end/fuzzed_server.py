"""A running server with a site, data of it and a key, for schemathesis to ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from tests.end_to_end.fuzzing_hooks import SITE, SPARE
from tests.server import Server

SCOPES = "stats:read,events:write,sites:write,sql:read"


@asynccontextmanager
async def fuzzed_server(folder: Path) -> AsyncIterator[tuple[Server, str]]:
    """Yield a server, and the secret of a key that may do everything."""
    server = Server(folder / "data")
    for site in (SITE, SPARE):
        await server.command("site", "add", site)
    await server.start(
        ANALYTICS_GATEWAY_KEY_RATE_PER_S="100000", ANALYTICS_GATEWAY_KEY_RATE_BURST="100000"
    )
    try:
        made = await server.command(
            "key", "create", "--all-sites", "--scope", SCOPES, "--label", "fuzzer", "--json"
        )
        secret = json.loads(made)["key"]
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers) as client:
            goal = {"site_id": SITE, "goal_type": "event", "event_name": "Signup"}
            assert (await client.put("/api/v1/sites/goals", json=goal)).status_code == 200
            reply = await client.post("/api/events", json=[*_events()])
            assert reply.json()["refused"] == 0, reply.text
        yield server, secret
    finally:
        await server.stop()


def _events() -> list[dict[str, object]]:
    return [
        {
            "n": name,
            "u": f"https://{SITE}/page-{visitor % 5}?utm_source=letter",
            "d": SITE,
            "vid": f"visitor-{visitor}",
            "p": {"plan": "pro"},
            "$": {"currency": "EUR", "amount": "12.5"},
        }
        for visitor in range(40)
        for name in ("pageview", "Signup")
    ]


async def _stay(folder: Path) -> None:
    async with fuzzed_server(folder) as (server, secret):
        print(server.url, secret, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import sys

    asyncio.run(_stay(Path(sys.argv[1])))
