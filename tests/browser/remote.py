"""The commands that Marionette and WebDriver have in common, by the names of the W3C's standard."""

from __future__ import annotations

from typing import Any, Protocol

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The member under which the standard puts an element's reference."""


class Transport(Protocol):
    """How a command reaches the browser."""

    async def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """Return the value of the answer to *name* (`WebDriver:Navigate`)."""


class Remote:
    """A tab driven by W3C WebDriver commands over *transport*."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def open(self, url: str) -> None:
        """Open *url* and wait until it is loaded."""
        await self._transport.command("WebDriver:Navigate", {"url": url})

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript *expression* on the page."""
        return await self._transport.command(
            "WebDriver:ExecuteScript", {"script": f"return {expression}", "args": []}
        )

    async def click(self, selector: str) -> None:
        """Press the pointer's first button in the middle of an element."""
        element = await self._transport.command(
            "WebDriver:FindElement", {"using": "css selector", "value": selector}
        )
        pointer = {
            "type": "pointer",
            "id": "mouse",
            "parameters": {"pointerType": "mouse"},
            "actions": [
                {"type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ],
        }
        await self._transport.command("WebDriver:PerformActions", {"actions": [pointer]})

    async def back(self) -> None:
        """Go back by one page."""
        await self._transport.command("WebDriver:Back", {})

    async def leave(self) -> None:
        """Close the tab."""
        await self._transport.command("WebDriver:CloseWindow", {})
