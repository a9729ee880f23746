"""Paginates lists: by `limit`, and a cursor after or before which a page lies."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from starlette.datastructures import QueryParams

from analytics.api.sites.messages import PageMeta
from analytics.errors import Malformed
from analytics.parsing import whole_number

T = TypeVar("T")

USUAL_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000


def page_of(
    entries: Sequence[T], key: Callable[[T], str], params: QueryParams
) -> tuple[Sequence[T], PageMeta]:
    """Return the page of *entries* that *params* ask for, and the cursors of its neighbours.

    *key* names an entry, and lasts while others come and go. Raise `Malformed`.
    """
    limit = whole_number(params.get("limit", str(USUAL_LIMIT)), "limit", least=1, most=MAX_LIMIT)
    after, before = params.get("after"), params.get("before")
    if after and before:
        raise Malformed("before", "give either after or before")
    ordered = sorted(entries, key=key)
    keys = [key(entry) for entry in ordered]
    if after:
        start = sum(each <= _read(after, "after") for each in keys)
        end = start + limit
    elif before:
        end = sum(each < _read(before, "before") for each in keys)
        start = max(0, end - limit)
    else:
        start, end = 0, limit
    shown = ordered[start:end]
    return shown, PageMeta(
        after=_cursor(key(shown[-1])) if shown and end < len(ordered) else None,
        before=_cursor(key(shown[0])) if shown and start > 0 else None,
        limit=limit,
    )


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read(cursor: str, field: str) -> str:
    try:
        return base64.b64decode(
            cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        ).decode()
    except (binascii.Error, ValueError):
        raise Malformed(field, "is not a cursor of an earlier answer") from None
