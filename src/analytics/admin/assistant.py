"""The operation that answers a tool of an assistant, for `analytics mcp`."""

from __future__ import annotations

from typing import Any

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.api.assistant_tools import AssistantTools


class AskTool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`assistant`."""

    tool: str
    arguments: dict[str, Any]
    key: str
    """The secret of a key with the scope `stats:read`."""


class ToolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool answers."""

    answer: Any


async def run(workspace: Workspace, request: AskTool, _: OperationContext) -> ToolAnswer:
    """Answer as the Stats API answers who has that key."""
    tools = AssistantTools(workspace.store, workspace.catalog, workspace.clock)
    answer = await tools.answer(request.tool, request.arguments, f"Bearer {request.key}")
    return ToolAnswer(answer=answer)
