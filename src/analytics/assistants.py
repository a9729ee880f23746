"""The Model Context Protocol (MCP), by which assistants use the tools of `api/assistant_tools.py`.

The only module that imports the package `mcp`, which the extra `mcp` installs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from analytics import __version__, access, caller
from analytics.access import KeyRing
from analytics.api.assistant_tools import TOOLS, AssistantTools
from analytics.api_operation import JSON, KEY_ERRORS, ApiAnswer, ApiOperation, ApiRoute
from analytics.errors import AnalyticsError, Invalid
from analytics.person import Scope as KeyScope

PATH: Final = "/mcp"
_CALLER: Final = "analytics.caller"
_INSTRUCTIONS: Final = (
    "Exact web analytics of somebody's own sites. Call list_sites first. Days are those of each"
    " site's time zone. Nothing can be changed."
)

OPERATION: Final = ApiOperation(
    summary="The Model Context Protocol, for assistants",
    group="Stats",
    body={JSON: dict[str, Any]},
    answers=(
        ApiAnswer("A message of JSON-RPC.", {JSON: dict[str, Any]}),
        ApiAnswer("A notification was taken.", {}, 202),
    ),
    errors=(*KEY_ERRORS, Invalid),
    scope=KeyScope.STATS_READ,
)

Answer = Callable[[str, Mapping[str, Any], str], Awaitable[object]]
"""Returns the answer of a tool, given its name, its arguments and the `Authorization` header."""


def server(answer: Answer) -> Server[Any]:
    """Return a server whose tools are answered by *answer*."""

    async def listed(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.description,
                    input_schema=dict(tool.schema),
                    annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
                )
                for tool in TOOLS
            ]
        )

    async def called(
        context: ServerRequestContext[Any], call: types.CallToolRequestParams
    ) -> types.CallToolResult:
        request = context.request
        authorization, guest = "", None
        if isinstance(request, Request):
            authorization = request.headers.get("authorization", "")
            guest = request.scope.get(_CALLER)
        try:
            # The library answers in a task of its own, which lacks the caller's context.
            with caller.on_behalf_of(guest):
                result = await answer(call.name, call.arguments or {}, authorization)
        except AnalyticsError as exc:
            return _result(str(exc), is_error=True)
        return _result(msgspec.json.encode(result).decode())

    return Server(
        "analytics",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=listed,
        on_call_tool=called,
    )


async def serve_stdio(answer: Answer) -> None:
    """Answer on standard input and output until the input ends."""
    protocol = server(answer)
    async with stdio_server() as (reading, writing):
        await protocol.run(reading, writing, protocol.create_initialization_options())


class HttpAssistants:
    """The protocol over HTTP, without sessions, so that any replica answers any request."""

    def __init__(self, tools: AssistantTools, keys: KeyRing) -> None:
        self._keys = keys
        self._sessions = StreamableHTTPSessionManager(
            server(tools.answer),
            json_response=True,
            stateless=True,
            # A foreign page has no key, even if its host name resolves to our address.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer while the block runs."""
        async with self._sessions.run():
            yield

    def routes(self) -> list[BaseRoute]:
        """Return the route."""
        return [ApiRoute("POST", PATH, self, OPERATION)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that has a key."""
        authorization = Request(scope).headers.get("authorization", "")
        access.check(access.key(authorization, self._keys), KeyScope.STATS_READ)
        scope[_CALLER] = caller.current()
        await self._sessions.handle_request(scope, receive, send)


def _result(text: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], is_error=is_error
    )
