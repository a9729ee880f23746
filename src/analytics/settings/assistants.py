"""The settings of what assistants may ask."""

from __future__ import annotations

from pydantic import SecretStr

from analytics.settings.section import Section, setting


class McpSettings(Section):
    """Assistants that ask for figures by MCP (docs/mcp.md)."""

    http: bool = setting(
        False,
        "Whether the server answers assistants that have a key, at /mcp; needs the extra mcp.",
    )
    key: SecretStr = setting(
        SecretStr(""), "The key (scope stats:read) with which `analytics mcp` asks."
    )
