"""`analytics mcp`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from analytics import extras
from analytics.admin import assistant
from analytics.cli.options import common, settings
from analytics.cli.run import run
from analytics.errors import Misconfigured


@click.command()
@common
def mcp() -> None:
    """Let an assistant ask for figures, by MCP on standard input and output.

    An assistant's program starts this command itself. It sees what the key sees that mcp.key
    (ANALYTICS_MCP__KEY) holds, and can change nothing.
    """
    extras.require("analytics mcp", "mcp", extra="mcp")
    from analytics import assistants

    chosen = settings()
    key = chosen.mcp.key.get_secret_value()
    if not key:
        raise Misconfigured(
            "mcp.key is missing: create a key with `analytics key create --site SITE --scope"
            " stats:read`, and set ANALYTICS_MCP__KEY to it"
        )

    async def answer(tool: str, arguments: Mapping[str, Any], _: str) -> object:
        request = assistant.AskTool(tool=tool, arguments=dict(arguments), key=key)
        done = await asyncio.to_thread(run, chosen, "assistant", request, assistant.ToolAnswer)
        return done.answer

    asyncio.run(assistants.serve_stdio(answer))
