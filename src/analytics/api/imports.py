"""What an answer says of the daily sums of other products, and from when on there are figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from analytics import localtime
from analytics.query import Imports, Result
from analytics.store.base import SiteImport

_WARNINGS: Final[Mapping[Imports, str]] = {
    Imports.UNSUPPORTED_QUERY: "Imported figures are left out: they have been added up by day, and"
    " no kind of them has all the metrics, dimensions and filters of this question.",
    Imports.UNSUPPORTED_INTERVAL: "Imported figures are left out: they are of whole days, and this"
    " question is by the hour.",
}
"""What is worth saying to whoever asked for imports that are there and do not count."""


class CountingStore(Protocol):
    """The part of a store that knows when figures begin."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""

    async def imports(self, site: str) -> Sequence[SiteImport]:
        """As `KeepsImports.imports`."""


def meta(result: Result) -> Mapping[str, object]:
    """Return the members of `meta` that say whether imports are included in an answer, or why not.

    *result* is the answer to a question that would include them.
    """
    # What a cluster's job answers knows of none, as there are none.
    imports = result.imports or Imports.NO_IMPORTED_DATA
    if imports is Imports.INCLUDED:
        return {"imports_included": True}
    warnings = {"imports_warning": _WARNINGS[imports]} if imports in _WARNINGS else {}
    return {"imports_included": False, "imports_skip_reason": imports.value, **warnings}


async def first_counted(
    store: CountingStore, site: str, timezone: str, *, imports: bool
) -> int | None:
    """Return when the figures of *site* begin, in UTC ms, with or without those imported.

    None if there are none.
    """
    moments = [await store.first_event(site)]
    if imports:
        moments += [
            localtime.day_start(timezone, each.first_day) for each in await store.imports(site)
        ]
    return min((moment for moment in moments if moment is not None), default=None)
