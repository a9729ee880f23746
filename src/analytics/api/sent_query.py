"""The JSON of a question to the Stats API, member by member, as the OpenAPI document describes it.

`query_json.parse` reads it by hand, because it says of a wrong member what may stand there; the
names of the members, and their bounds, it has from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from analytics import bounds, date_range
from analytics.api_operation import SCHEMAS
from analytics.date_range import Comparison
from analytics.query import PROPERTY_PREFIX, Dimension, Metric, Op

MAX_LIMIT: Final = 10_000
MAX_OFFSET: Final = 1_000_000_000

AskedDateRange = Annotated[
    Any,
    Meta(
        description="A word, or the first and the last day or instant.",
        examples=["7d", ["2026-01-01", "2026-01-31"]],
        extra_json_schema={
            "anyOf": [
                {"type": "string", "pattern": f"^({date_range.WORDS})$"},
                {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
            ]
        },
    ),
]
_PROPERTY: Final = {"type": "string", "pattern": f"^{PROPERTY_PREFIX}."}
DimensionName = Annotated[
    str, Meta(extra_json_schema={"anyOf": [{"enum": [*Dimension]}, _PROPERTY]})
]
AskedDimension = Annotated[
    str, Meta(extra_json_schema={"anyOf": [{"enum": ["time", *Dimension]}, _PROPERTY]})
]
_A_FILTER: Final = {"$ref": f"{SCHEMAS}Filter"}
_FILTERS: Final = {"type": "array", "items": _A_FILTER}
AskedFilter = Annotated[Any, Meta(extra_json_schema=_A_FILTER)]


def _parts(*parts: object, least: int) -> dict[str, object]:
    return {"type": "array", "prefixItems": parts, "minItems": least, "maxItems": len(parts)}


FILTER_SCHEMAS: Final[Mapping[str, object]] = {
    "Filter": {
        "title": "Filter",
        "description": "A condition on events or on their visits.",
        "anyOf": [
            _parts(
                {"enum": [*Op]},
                {"anyOf": [{"enum": ["segment", *Dimension]}, _PROPERTY]},
                {
                    "type": "array",
                    "items": {"type": ["string", "integer"]},
                    "minItems": 1,
                    "maxItems": bounds.VALUES,
                },
                {"type": "object", "properties": {"case_sensitive": {"type": "boolean"}}},
                least=3,
            ),
            _parts({"enum": ["and", "or", "sequence"]}, {**_FILTERS, "minItems": 1}, least=2),
            _parts({"enum": ["not", "has_done", "has_not_done"]}, _A_FILTER, least=2),
        ],
    }
}
"""What no type can say: filters lie in each other."""


class Sent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a question."""


class SentComparison(Sent, frozen=True, kw_only=True):
    """The period with which another is to be compared."""

    mode: Comparison
    date_range: AskedDateRange = msgspec.UNSET
    match_day_of_week: bool = False


class SentInclude(Sent, frozen=True, kw_only=True):
    """What the answer is to hold besides."""

    time_labels: bool = False
    total_rows: bool = False
    imports: bool = False
    comparisons: SentComparison | None = None
    bots: bool = False


class SentPagination(Sent, frozen=True, kw_only=True):
    """Which rows are answered."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = MAX_LIMIT
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] = 0


class SentQuery(Sent, frozen=True, kw_only=True):
    """A question to the Stats API."""

    site_id: Annotated[str, Meta(min_length=1)]
    metrics: Annotated[tuple[Metric, ...], Meta(min_length=1)]
    date_range: AskedDateRange
    dimensions: tuple[AskedDimension, ...] = ()
    filters: tuple[AskedFilter, ...] = ()
    order_by: tuple[tuple[str, Literal["asc", "desc"]], ...] = ()
    include: SentInclude = SentInclude()
    pagination: SentPagination = SentPagination()
