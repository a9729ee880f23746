"""`GET /api/openapi.json`: the public HTTP surface as an OpenAPI 3.1 document.

It is assembled from the routes themselves: each knows its path and method, and has an
`ApiOperation`; schemas are those that msgspec knows of the types that requests are decoded to and
answers are encoded from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from analytics import __version__
from analytics.api_operation import (
    JSON,
    SCHEMAS,
    ApiAnswer,
    ApiOperation,
    ApiParameter,
    ApiRoute,
    TypeForm,
)
from analytics.errors import AnalyticsError, TooMany, Unavailable
from analytics.module import Module
from analytics.problem import Problem

PATH: Final = "/api/openapi.json"
_KEY: Final = "key"
_ALWAYS: Final = (TooMany, Unavailable)
"""What may meet every request."""
_EVERY_ANSWER: Final = {"x-request-id": "the id under which the server's log has the request"}
_WAITING: Final = {"retry-after": "after how many seconds to try again"}
_RESPONSES: Final = "#/components/responses/"

OPERATION: Final = ApiOperation(
    summary="This document",
    group="Server",
    answers=(ApiAnswer("The OpenAPI 3.1 document of this version.", {JSON: dict[str, Any]}),),
)


class DocumentedRoute(NamedTuple):
    """A route of the public surface."""

    method: str
    path: str
    operation: ApiOperation


def route(modules: Callable[[], Sequence[Module]]) -> ApiRoute:
    """Return the route of the document about *modules*, which is made when it is first asked."""
    documents: list[bytes] = []

    async def show(_: Request) -> Response:
        if not documents:
            documents.append(msgspec.json.encode(document(modules())))
        return Response(documents[0], media_type=JSON)

    return ApiRoute("GET", PATH, show, OPERATION)


def documented(modules: Sequence[Module]) -> Iterator[DocumentedRoute]:
    """Yield the routes of *modules* that are for programs, in the order of the modules."""
    for module in modules:
        for path, endpoint in module.paths.items():
            yield DocumentedRoute(endpoint.method, path, endpoint.operation)
        for each in module.routes:
            if isinstance(each, ApiRoute):
                (method,) = (each.methods or set()) - {"HEAD"}
                yield DocumentedRoute(method, each.path_format, each.operation)


def document(modules: Sequence[Module]) -> dict[str, Any]:
    """Return the document, as JSON has it: lists, objects, texts and numbers alone.

    It has every module's routes, because servers behind one address share them.
    """
    routes = [*documented(modules)]
    schemas = _schemas(each.operation for each in routes)
    paths: dict[str, dict[str, object]] = {}
    for each in routes:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Visitor analytics",
            "version": __version__,
            "description": "Events in, figures out. Every error has the same form, `Problem`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                error.__name__: _problem(error, schemas)
                for each in routes
                for error in _errors(each.operation)
            },
            "securitySchemes": {_KEY: {"type": "http", "scheme": "bearer"}},
        },
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described))
    return plain


class _Schemas(NamedTuple):
    """The JSON Schema of every type that routes name."""

    types: Sequence[TypeForm]
    schemas: Sequence[Mapping[str, Any]]
    """Of each of the types."""
    components: Mapping[str, Any]
    """Those to which the schemas refer, by name."""

    def of(self, kind: TypeForm) -> Mapping[str, Any]:
        """Return the schema of *kind*; for bytes, one that any content has."""
        if kind is bytes:
            return {}
        return next(
            schema for each, schema in zip(self.types, self.schemas, strict=True) if each is kind
        )


def _schemas(operations: Iterable[ApiOperation]) -> _Schemas:
    types: list[TypeForm] = [Problem]
    untyped: Mapping[str, object] = {}
    for operation in operations:
        types += (parameter.type for parameter in operation.parameters)
        types += operation.body.values()
        types += (kind for answer in operation.answers for kind in answer.content.values())
        untyped = {**untyped, **operation.schemas}
    types = [kind for kind in types if kind is not bytes]
    schemas, components = msgspec.json.schema_components(types, ref_template=SCHEMAS + "{name}")
    return _Schemas(types, schemas, {**untyped, **components})


def _operation(each: DocumentedRoute, schemas: _Schemas) -> dict[str, object]:
    operation = each.operation
    described: dict[str, object] = {
        "operationId": re.sub(r"\W+", "_", f"{each.method.lower()}{each.path}").strip("_"),
        "summary": operation.summary,
        "tags": [operation.group],
        "responses": _responses(operation, schemas),
    }
    if operation.parameters:
        described["parameters"] = [_parameter(one, schemas) for one in operation.parameters]
    if operation.body:
        content = {name: {"schema": schemas.of(kind)} for name, kind in operation.body.items()}
        described["requestBody"] = {"required": True, "content": content}
    if operation.scope:
        keys: list[dict[str, list[str]]] = [{_KEY: [operation.scope]}]
        described["security"] = [*keys, {}] if operation.key_optional else keys
    return described


def _parameter(parameter: ApiParameter, schemas: _Schemas) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "required": parameter.required or parameter.place == "path",
        "schema": schemas.of(parameter.type),
    }


def _responses(operation: ApiOperation, schemas: _Schemas) -> dict[str, object]:
    responses: dict[str, object] = {}
    for answer in operation.answers:
        responses[str(answer.status)] = {
            "description": answer.about,
            "headers": _headers({**_EVERY_ANSWER, **answer.headers}),
            "content": {
                name: {"schema": schemas.of(kind)} for name, kind in answer.content.items()
            },
        }
    for error in _errors(operation):
        responses.setdefault(str(error.status), {"$ref": _RESPONSES + error.__name__})
    return responses


def _problem(error: type[AnalyticsError], schemas: _Schemas) -> dict[str, object]:
    waiting = _WAITING if issubclass(error, TooMany | Unavailable) else {}
    about = (error.__doc__ or HTTPStatus(error.status).phrase).partition("\n")[0]
    return {
        "description": about.replace("*", "`"),
        "headers": _headers({**_EVERY_ANSWER, **waiting}),
        "content": {JSON: {"schema": schemas.of(Problem)}},
    }


def _headers(about: Mapping[str, str]) -> dict[str, object]:
    return {
        name: {"description": text, "schema": {"type": "string"}} for name, text in about.items()
    }


def _errors(operation: ApiOperation) -> Iterator[type[AnalyticsError]]:
    """Yield what *operation* may be refused with, and every request."""
    yield from operation.errors
    yield from _ALWAYS
