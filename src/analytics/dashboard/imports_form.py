"""The form that takes an import of another product out of a site's figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from starlette.datastructures import FormData
from starlette.responses import Response

from analytics import localtime
from analytics.catalog import service
from analytics.catalog.audit_log import AuditAction
from analytics.dashboard import confirmation
from analytics.dashboard.confirmation import Confirmation
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.report_period import day_name
from analytics.dashboard.templates import path_of
from analytics.errors import NotFound
from analytics.imported.products import LABELS
from analytics.parsing import digits
from analytics.site import Site
from analytics.store.base import SiteImport
from analytics.wording import counted


class ListedImport(NamedTuple):
    """An import as the page shows it."""

    id: int
    name: str
    """The product and the days."""
    counts: str
    file: str
    imported_at: int


async def listed(ask: PageRequest, site: Site) -> list[ListedImport]:
    """Return the imports of *site* in the order in which they came."""
    return [
        ListedImport(each.id, _name(each), _counts(each), each.file, each.imported_at)
        for each in await ask.deps.store.imports(site.domain)
    ]


async def remove(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Take an import out, once the change is confirmed."""
    question = await removal_question(ask, site, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    removed = await ask.deps.store.remove_import(site.domain, int(question.fields["import"]))
    await service.record(
        ask.deps.catalog,
        AuditAction.DATA_ERASED,
        rows=removed.rows,
        of="daily sum",
        site=site.domain,
    )
    return ask.done(_settings(site), f"{_name(removed)}: taken out.", where="imports")


async def removal_question(
    ask: PageRequest, site: Site, fields: Mapping[str, object]
) -> Confirmation:
    """Return the confirmation, with counts of what would be deleted. Raise `NotFound`."""
    number = digits(str(fields.get("import", ""))[:19])
    for each in await ask.deps.store.imports(site.domain):
        if each.id == number:
            return Confirmation(
                page=f"{_settings(site)}/confirm",
                action=_settings(site),
                back=f"{_settings(site)}#imports",
                title="Take this import out?",
                says=(
                    f"{_name(each)}: this deletes {counted(each.rows, 'daily sum')}.",
                    f"{_counts(each)} leave the figures of {site.domain}.",
                    "Events stay as they are. The file can be imported again.",
                ),
                button="Take the import out",
                fields={"form": "remove-import", "import": str(each.id)},
            )
    raise NotFound("There is no import of this number here.")


def _name(each: SiteImport) -> str:
    first, last = (_day(day) for day in (each.first_day, each.last_day))
    return f"{LABELS[each.product]}, {first} to {last}"


def _counts(each: SiteImport) -> str:
    return f"{counted(each.visitors, 'visitor')} and {counted(each.pageviews, 'pageview')}"


def _day(day: int) -> str:
    return day_name(localtime.date_of(day), with_year=True)


def _settings(site: Site) -> str:
    return f"{path_of(site.domain)}/settings"
