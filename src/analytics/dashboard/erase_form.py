"""The form that deletes certain visits of a site: those that match a filter, a period, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import FormData
from starlette.responses import Response

from analytics import visit_selection
from analytics.api import named_filters
from analytics.catalog import service
from analytics.catalog.audit_log import AuditAction
from analytics.dashboard import confirmation, filters
from analytics.dashboard.confirmation import Confirmation
from analytics.dashboard.filters import Condition
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.templates import path_of
from analytics.errors import Conflict, Malformed, Misconfigured
from analytics.query import Query
from analytics.site import Site
from analytics.suggestions import unknown
from analytics.wording import counted

FORM: Final = "erase"
_FIELDS: Final = ("dimension", "operator", "value", "from", "to")

_DATE_LABELS: Final = {"from": "From", "to": "To"}


async def change(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Delete the visits that the form describes, once the change is confirmed."""
    question = await question_of(ask, site, {name: str(form[name]) for name in form})
    if answer := confirmation.first(ask, question, form):
        return answer
    visits, rows = await ask.deps.erases.erase_visits(_query(site, question.fields))
    await service.record(ask.deps.catalog, AuditAction.DATA_ERASED, rows=rows, site=site.domain)
    text = f"Deleted: {counted(visits, 'visit')} with {counted(rows, 'event')}."
    return ask.done(_settings(site), text, where=FORM)


async def question_of(ask: PageRequest, site: Site, form: Mapping[str, str]) -> Confirmation:
    """Return the confirmation, with counts of what would be deleted.

    Raise `Malformed` when the form is incomplete or no visit matches, `Conflict` when this server
    cannot delete by filter.
    """
    fields = {name: form.get(name, "").strip() for name in _FIELDS}
    query = _query(site, fields)
    await ask.deps.settle()
    try:
        visits, rows = await ask.deps.erases.count_visits(query)
    except Misconfigured as exc:
        raise Conflict(str(exc)) from exc
    if not rows:
        raise Malformed(FORM, "Nothing was deleted: no visit matches.")
    counts = f"{counted(visits, 'visit')} with {counted(rows, 'event')}"
    deleted = f"This deletes {counts} permanently: every visit {_described(fields)}."
    return Confirmation(
        page=f"{_settings(site)}/confirm",
        action=_settings(site),
        back=f"{_settings(site)}#{FORM}",
        title=f"Delete {counted(visits, 'visit')} of {site.domain}?",
        says=(
            deleted,
            "Visits are deleted as a whole, including those of bots.",
            "The ledger keeps the number of erased events. Earlier backups still contain them.",
        ),
        button=f"Delete {counted(rows, 'event')}",
        fields={"form": FORM, **fields},
    )


def _query(site: Site, fields: Mapping[str, str]) -> Query:
    condition = _condition(fields)
    start, end = fields["from"] or None, fields["to"] or None
    if condition is None and start is None and end is None:
        raise Malformed(FORM, "Give what the visits have in common: a value, days, or both.")
    conditions = () if condition is None else (condition,)
    compiled = filters.compile_filters(conditions)
    try:
        chosen = visit_selection.chosen(site, compiled, start, end)
    except Malformed as error:
        # The page shows the reason alone, and the form has two fields of the same kind.
        label = _DATE_LABELS.get(error.field)
        raise Malformed(
            error.field, f"{label}: {error.reason}" if label else error.reason
        ) from None
    return named_filters.resolve(chosen, site)


def _condition(fields: Mapping[str, str]) -> Condition | None:
    if not fields["value"]:
        return None
    operators = [op for op in filters.OPERATORS if op.value == fields["operator"]]
    if not operators:
        raise Malformed("operator", unknown("operator", fields["operator"], filters.OPERATORS))
    (text,) = filters.texts([Condition(operators[0], fields["dimension"], (fields["value"],))])
    return filters.parse([text])[0]


def _described(fields: Mapping[str, str]) -> str:
    parts = []
    if condition := _condition(fields):
        value = condition.values[0]
        parts.append(f"in which {condition.label} {condition.verb} “{value}”")
    if fields["from"]:
        parts.append(f"from {fields['from']} on")
    if fields["to"]:
        parts.append(f"up to {fields['to']}")
    return ", ".join(parts)


def _settings(site: Site) -> str:
    return f"{path_of(site.domain)}/settings"
