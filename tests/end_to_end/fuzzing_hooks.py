"""What schemathesis cannot know of the server that it asks: its site, goals and properties."""

from __future__ import annotations

from typing import Any

import schemathesis

SITE = "fuzzed.example"
SPARE = "spare.example"
"""A site that may be removed."""


@schemathesis.hook
def map_query(_: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    if query and "site_id" in query:
        query["site_id"] = SITE
    return query


@schemathesis.hook
def map_body(_: Any, body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("site_id"), str):
        body["site_id"] = SITE
    return body


@schemathesis.hook
def map_path_parameters(context: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    if parameters and "site_id" in parameters:
        removes = context.operation.method.upper() == "DELETE"
        parameters["site_id"] = SPARE if removes else SITE
    return parameters
