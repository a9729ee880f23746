"""The settings of assistants."""

from __future__ import annotations

from pydantic import SecretStr

from analytics.settings.section import Section, setting


class McpSettings(Section):
    """Assistants that ask for figures by MCP (docs/mcp.md)."""

    http: bool = setting(
        False,
        "Answer assistants that have a key by MCP, at /mcp; needs the extra mcp.",
    )
    key: SecretStr = setting(SecretStr(""), "The key (scope stats:read) that `analytics mcp` uses.")
