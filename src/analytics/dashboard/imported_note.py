"""What a report says of the figures imported from other products, which are in it or left out."""

from __future__ import annotations

from typing import NamedTuple

from analytics import localtime
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.report_period import day_name
from analytics.dashboard.report_url import ReportUrl
from analytics.imported.products import LABELS
from analytics.query import Imports, Period, Result


class ImportedNote(NamedTuple):
    """The sentence of a report, and where its switch leads."""

    text: str
    switch: str
    url: str


async def note(
    deps: DashboardContext, address: ReportUrl, period: Period, totals: Result, line: Result
) -> ImportedNote | None:
    """Return the note for a report of *period*; None if nothing is imported of these days.

    *totals* and *line* are the answers for its headline figures and its curve.
    """
    first = localtime.day_of(period.timezone, period.start)
    last = localtime.day_of(period.timezone, period.end - 1)
    imports = [
        each
        for each in await deps.store.imports(address.site)
        if each.first_day <= last and first <= each.last_day
    ]
    if not imports:
        return None
    products = " and ".join(dict.fromkeys(LABELS[each.product] for each in imports))
    until = day_name(localtime.date_of(max(each.last_day for each in imports)), with_year=True)
    figures = f"figures imported from {products} until {until}"
    if not address.imports:
        text = f"F{figures[1:]} are left out."
    elif totals.imports is not Imports.INCLUDED:
        text = f"F{figures[1:]} are left out: they cannot be filtered like this."
    elif line.imports is not Imports.INCLUDED:
        text = f"Includes {figures}, but for the curve: they are of whole days."
    else:
        text = f"Includes {figures}: their visitors are counted once a day."
    switch = "Leave them out" if address.imports else "Include them"
    return ImportedNote(text, switch, address.but(imports=not address.imports).url())
