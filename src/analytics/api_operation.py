"""What one route of the public HTTP surface takes and answers, stated once, beside its handler.

The OpenAPI document is made of these (`gateway/openapi.py`); a route adds its path and method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analytics.errors import (
    AnalyticsError,
    Forbidden,
    Malformed,
    NotFound,
    TooLarge,
    Unauthenticated,
)

JSON: Final = "application/json"
SCHEMAS: Final = "#/components/schemas/"
"""Where the document has the schemas that others refer to."""

TypeForm = Any
"""A type for which msgspec knows the JSON Schema; `bytes` for content that is no text."""


class ApiParameter(NamedTuple):
    """One parameter of a request."""

    name: str
    about: str
    type: TypeForm = str
    required: bool = False
    place: Literal["query", "path", "header"] = "query"


class ApiAnswer(NamedTuple):
    """One way in which an operation answers when nothing is wrong."""

    about: str
    content: Mapping[str, TypeForm]
    """By media type."""
    status: int = 200
    headers: Mapping[str, str] = {}
    """What each header says, by its name."""


@dataclass(frozen=True, kw_only=True)
class ApiOperation:
    """What the document says of one method of one path."""

    summary: str
    group: str
    """The heading under which readers of the document find it."""
    answers: tuple[ApiAnswer, ...]
    errors: tuple[type[AnalyticsError], ...] = ()
    """Those that it raises itself; some more may meet every request."""
    parameters: tuple[ApiParameter, ...] = ()
    body: Mapping[str, TypeForm] = field(default_factory=dict)
    """The request's body, by media type."""
    scope: str = ""
    """What a key must be good for; "" where none is looked at."""
    key_optional: bool = False
    """Whether there is an answer without a key, too."""
    schemas: Mapping[str, object] = field(default_factory=dict)
    """Schemas that the body's own refers to, by name, where no type can say them."""


KEY_ERRORS: Final = (Unauthenticated, Forbidden)
SITE_ERRORS: Final = (*KEY_ERRORS, Malformed, NotFound)
"""Of operations about a site that the request names."""
BODY_ERRORS: Final = (*SITE_ERRORS, TooLarge)

WAIT: Final = ApiParameter(
    "wait", "receipts, by commas, whose events the answer waits for, ten seconds at most"
)


class ApiRoute(Route):
    """A route that knows what it takes and answers."""

    def __init__(
        self,
        method: str,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]] | Callable[..., Any],
        operation: ApiOperation,
    ) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.operation = operation
