"""Serves `POST /api/sql`: SELECTs on documented views, for keys with the scope `sql:read`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from analytics import access, bounds, decoding, localtime, time_span
from analytics.api_operation import BODY_ERRORS, JSON, ApiAnswer, ApiOperation, ApiRoute
from analytics.catalog.base import Catalog
from analytics.errors import UNDECODABLE, Forbidden, NotFound, TooLarge
from analytics.person import Key, Scope
from analytics.site import Site
from analytics.store.sql_question import (
    AnswersSql,
    ResultColumn,
    SqlAnswer,
    SqlFormat,
    SqlQuestion,
)

_MEDIA_TYPES: Final[Mapping[SqlFormat, str]] = {
    SqlFormat.JSON: JSON,
    SqlFormat.CSV: "text/csv",
    SqlFormat.PARQUET: "application/vnd.apache.parquet",
}
_ANY: Final = frozenset({"*/*", "application/*"})


class SqlBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""

    sql: str
    site_id: str | None = None
    """Only this site; without it, every site that the key acts on."""
    start: str | None = msgspec.field(default=None, name="from")
    """See `time_span.of`."""
    end: str | None = msgspec.field(default=None, name="to")


class SqlNotes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The notes of an answer."""

    columns: Sequence[ResultColumn] = ()
    row_count: int = -1
    truncated: bool = False
    """Whether the answer was truncated, because there were more rows than allowed."""
    held_since: Mapping[str, str] = {}
    """For each site of which this replica has evicted rows: its first day that is whole here."""
    as_of: int | None = None
    """The moment (ms) up to which the rows are complete, if that is long ago."""


class SqlRows(SqlNotes, frozen=True, kw_only=True):
    """An answer in JSON, as `document` writes it."""

    rows: list[list[Any]]


OPERATION: Final = ApiOperation(
    summary="One SELECT about the documented views",
    group="Stats",
    body={JSON: SqlBody},
    answers=(
        ApiAnswer(
            "The rows; `Accept` chooses the format.",
            dict.fromkeys(_MEDIA_TYPES.values(), bytes) | {JSON: SqlRows},
            headers={
                "x-analytics-rows": "the number of rows; these headers are not sent with JSON",
                "x-analytics-truncated": "`true` where there were more rows",
                "x-analytics-held-since": "the first whole day of each site, where rows are gone",
                "x-analytics-as-of": "up to when the rows are complete, in milliseconds since 1970",
            },
        ),
    ),
    errors=BODY_ERRORS,
    scope=Scope.SQL_READ,
)


def routes(store: AnswersSql, catalog: Catalog) -> list[BaseRoute]:
    """Return the route."""
    return [ApiRoute("POST", "/api/sql", SqlApi(store, catalog).answer, OPERATION)]


class SqlApi:
    """Answers queries in SQL."""

    def __init__(self, store: AnswersSql, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    async def answer(self, request: Request) -> Response:
        """Answer `POST /api/sql`."""
        key = access.check(
            access.key(request.headers.get("authorization", ""), self._catalog.keys),
            Scope.SQL_READ,
        )
        kind = _accepted(request.headers.get("accept", "*/*"))
        body = _parsed(await request.body())
        sites = self._sites(key, body.site_id)
        answer = await self._store.sql(question(sites, body.sql, body.start, body.end, kind))
        summary = notes(answer, sites)
        content = await asyncio.to_thread(taken, answer)
        if kind is SqlFormat.JSON:
            return Response(document(summary, content), media_type=_MEDIA_TYPES[kind])
        headers = {"x-analytics-rows": str(summary.row_count)}
        if summary.truncated:
            headers["x-analytics-truncated"] = "true"
        if summary.held_since:
            headers["x-analytics-held-since"] = ", ".join(
                f"{site}={day}" for site, day in summary.held_since.items()
            )
        if summary.as_of is not None:
            headers["x-analytics-as-of"] = str(summary.as_of)
        return Response(content, headers=headers, media_type=_MEDIA_TYPES[kind])

    def _sites(self, key: Key, name: str | None) -> Sequence[Site]:
        """Return the sites of a query, among those that *key* acts on."""
        if name is None and key.site is None:
            return self._catalog.sites.all()
        site = self._catalog.sites.get(name or key.site or "")
        if key.site is not None and (site is None or site.domain != key.site):
            raise Forbidden(f"This key is for {key.site} only.")
        if site is None:
            raise NotFound(f"There is no site {name!r} here.")
        return [site]


def question(
    sites: Sequence[Site], statement: str, start: str | None, end: str | None, kind: SqlFormat
) -> SqlQuestion:
    """Return a query about *sites*; days are in the site's zone, in UTC for several sites.

    Raise `Malformed` for an invalid day or moment.
    """
    zone = sites[0].timezone if len(sites) == 1 else "Etc/UTC"
    span = time_span.of(start, end, zone)
    return SqlQuestion(statement, {site.domain: site.timezone for site in sites}, *span, kind)


def notes(answer: SqlAnswer, sites: Sequence[Site]) -> SqlNotes:
    """Return the notes of *answer*, with days in the zones of *sites*."""
    zones = {site.domain: site.timezone for site in sites}
    first_days = {
        site: localtime.date_of(localtime.day_of(zones[site], at)).isoformat()
        for site, at in sorted(answer.held_since.items())
    }
    return SqlNotes(
        columns=answer.columns,
        row_count=answer.rows,
        truncated=answer.truncated,
        held_since=first_days,
        as_of=answer.as_of,
    )


def document(summary: SqlNotes, rows: bytes) -> bytes:
    """Return the JSON of an answer: its notes, and its *rows*, which are JSON already."""
    return msgspec.json.encode(summary)[:-1] + b',"rows":' + rows + b"}"


def taken(answer: SqlAnswer) -> bytes:
    """Return the content of the answer's file, and delete the file."""
    path = Path(answer.path)
    try:
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def _parsed(body: bytes) -> SqlBody:
    if len(body) > bounds.QUESTION_BYTES:
        raise TooLarge(f"A question has at most {bounds.QUESTION_BYTES:,} bytes.")
    try:
        return msgspec.json.decode(body, type=SqlBody)
    except UNDECODABLE as exc:
        raise decoding.malformed(exc, model=SqlBody) from exc


def _accepted(header: str) -> SqlFormat:
    """Return the first format that *header* names; JSON where it names none."""
    for part in header.split(","):
        name = part.partition(";")[0].strip().lower()
        if not name or name in _ANY:
            return SqlFormat.JSON
        for kind, media_type in _MEDIA_TYPES.items():
            if name == media_type:
                return kind
    return SqlFormat.JSON
