"""The settings page of one site: shows them, and carries out its forms."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.datastructures import FormData
from starlette.responses import Response

from analytics.catalog import service
from analytics.catalog.rules import MAX_RETENTION_DAYS, checked_timezone
from analytics.dashboard import (
    confirmation,
    display_names,
    erase_form,
    filters,
    foreign_hosts,
    goals_form,
    imports_form,
    shared_links_form,
    site_access,
)
from analytics.dashboard.confirmation import Confirmation
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.report_period import day_name
from analytics.dashboard.shields_form import BadRules, read_shields
from analytics.dashboard.sites import snippet
from analytics.dashboard.templates import path_of
from analytics.errors import Conflict, Malformed, NotFound
from analytics.parsing import whole_number
from analytics.site import Site
from analytics.wording import counted

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "general": ("timezone", "public"),
    "properties": ("custom_properties",),
    "privacy": ("honour_dnt", "cookieless"),
    "shields": ("shields",),
    "made-up": ("other_hostnames", "count_spam_referrers", "revenue_ceiling", "events_per_day"),
    "retention": ("retention_days",),
}
"""The fields of `Site` that each form saves."""

Change = Callable[[PageRequest, Site, FormData], Awaitable[Response]]


async def show(ask: PageRequest) -> Response:
    """Show the page with all its forms. Raise `Forbidden` for anybody but an owner."""
    return await _page(ask, ask.owned_site())


async def change(ask: PageRequest) -> Response:
    """Carry out the posted form; its field `form` names which one."""
    site = ask.owned_site()
    form = await ask.posted()
    name = str(form.get("form", ""))
    if name not in _CHANGES:
        raise Malformed("form", f"there is no form {name[:40]!r}")
    if form.get("version", "") not in ("", _versions(site).get(name)):
        changed = Conflict(
            "Nothing was saved: somebody has changed these settings since you opened the page."
            " They are shown as they are now."
        )
        return await _page(ask, site, error=changed, form=name)
    try:
        return await _CHANGES[name](ask, site, form)
    except (Malformed, Conflict) as error:
        return await _page(ask, site, error=error, form=name, typed=form)


async def confirm(ask: PageRequest) -> Response:
    """Show the confirmation of a change that cannot be undone."""
    site = ask.owned_site()
    params = ask.request.query_params
    name = params.get("form", "")
    if name == "remove-site":
        return await site_access.show_removal(ask, site)
    if name not in _QUESTIONS:
        raise NotFound("There is nothing to confirm here.")
    question = await _QUESTIONS[name](ask, site, {key: params[key] for key in params})
    return confirmation.show(ask, question, site=site)


async def _page(
    ask: PageRequest,
    site: Site,
    *,
    error: Malformed | Conflict | None = None,
    form: str = "",
    typed: FormData | None = None,
) -> Response:
    people, keys = await ask.deps.catalog.people.all(), await ask.deps.catalog.keys.all()
    problem = ""
    if error is not None:
        problem = error.reason if isinstance(error, Malformed) else str(error)
    return ask.page(
        "settings.html",
        status=200 if error is None else error.status,
        site=site,
        snippet=snippet(ask, site),
        local=snippet(ask, site, on_this_machine=True),
        timezones=display_names.timezones(),
        people=[person for person in people if person.sees(site.domain)],
        keys=[key for key in keys if key.site == site.domain],
        key_uses=await ask.deps.catalog.keys.last_used(),
        keys_of_all=sum(key.site is None for key in keys),
        foreign=await foreign_hosts.foreign_hosts(ask.deps, site),
        imports=await imports_form.listed(ask, site),
        scopes=site_access.SCOPES,
        goal_texts={goal.id: goals_form.described(goal) for goal in site.goals},
        dimensions=filters.LABELS,
        operators={op.value: verb for op, verb in filters.OPERATORS.items()},
        problem=problem,
        wrong=error.lines if isinstance(error, BadRules) else {},
        versions=_versions(site),
        form_name=form,
        given={k: v for k, v in typed.items() if isinstance(v, str)} if typed else {},
    )


def _versions(site: Site) -> dict[str, str]:
    """Return for each form a digest of the settings that it shows."""
    values = {
        form: msgspec.json.encode([getattr(site, field) for field in fields])
        for form, fields in _FIELDS.items()
    }
    return {form: hashlib.sha256(value).hexdigest()[:16] for form, value in values.items()}


async def _general(ask: PageRequest, site: Site, form: FormData) -> Response:
    timezone = checked_timezone(display_names.timezone_of(str(form.get("timezone", ""))[:60]))
    await service.change_site(
        ask.deps.catalog, site.domain, timezone=timezone, public="public" in form
    )
    return _saved(ask, site, "general")


async def _properties(ask: PageRequest, site: Site, form: FormData) -> Response:
    names = tuple(str(form.get("custom_properties", "")).splitlines())
    await service.change_site(ask.deps.catalog, site.domain, custom_properties=names)
    return _saved(ask, site, "properties")


async def _privacy(ask: PageRequest, site: Site, form: FormData) -> Response:
    await service.change_site(
        ask.deps.catalog,
        site.domain,
        honour_dnt="honour_dnt" in form,
        cookieless="cookieless" in form,
    )
    return _saved(ask, site, "privacy")


async def _shields(ask: PageRequest, site: Site, form: FormData) -> Response:
    shields = read_shields({key: str(value) for key, value in form.items()})
    lists = msgspec.structs.asdict(shields)
    await service.change_site(ask.deps.catalog, site.domain, shields=lists)
    return _saved(ask, site, "shields")


async def _retention(ask: PageRequest, site: Site, form: FormData) -> Response:
    days = _days(str(form.get("days", "")))
    shorter = days is not None and service.is_shorter(days, site.retention_days)
    if shorter and days is not None and (await _expired(ask, site, days)).events:
        question = await _retention_question(ask, site, {"days": str(days)})
        if answer := confirmation.first(ask, question, form):
            return answer
    await service.change_site(ask.deps.catalog, site.domain, retention_days=days)
    kept = "for good" if days is None else f"for {counted(days, 'day')}"
    return ask.done(_path(site), f"Saved: events are kept {kept}.", where="retention")


async def _retention_question(ask: PageRequest, site: Site, fields: dict[str, str]) -> Confirmation:
    """Return the confirmation of a shorter retention, with a count of what it deletes."""
    days = _days(fields.get("days", ""))
    if days is None:
        raise Malformed("days", "Give a number of days.")
    expired = await _expired(ask, site, days)
    events = counted(expired.events, "event")
    first_kept = day_name(expired.first_kept, with_year=True)
    deleted = (
        f"This permanently deletes {events} from before {first_kept}: page views and custom events,"
        " including those of bots."
    )
    later = f"After that, events are deleted when they are {counted(days, 'day')} old."
    return Confirmation(
        page=f"{_path(site)}/confirm",
        action=_path(site),
        back=f"{_path(site)}#retention",
        title=f"Keep only {counted(days, 'day')} of {site.domain}?",
        says=(deleted, later),
        button=f"Delete {events}",
        fields={"form": "retention", "days": str(days)},
        state=str(site.retention_days),
    )


async def _expired(ask: PageRequest, site: Site, days: int) -> service.Expired:
    return await service.expired(ask.deps.store, site, days, ask.deps.clock())


def _days(text: str) -> int | None:
    text = text.strip()
    return whole_number(text, "days", least=1, most=MAX_RETENTION_DAYS) if text else None


def _path(site: Site) -> str:
    return f"{path_of(site.domain)}/settings"


def _saved(ask: PageRequest, site: Site, where: str) -> Response:
    return ask.done(_path(site), "Saved.", where=where)


_CHANGES: Final[dict[str, Change]] = {
    "general": _general,
    "privacy": _privacy,
    "properties": _properties,
    "segment": goals_form.rename_segment,
    "shields": _shields,
    "made-up": foreign_hosts.change,
    "accept-host": foreign_hosts.accept_host,
    "retention": _retention,
    erase_form.FORM: erase_form.change,
    "key": site_access.add_key,
    "revoke": site_access.revoke_key,
    "goal": goals_form.save,
    "remove-goal": goals_form.remove,
    "remove-segment": goals_form.remove_segment,
    "link": shared_links_form.add,
    "revoke-link": shared_links_form.revoke,
    "remove-import": imports_form.remove,
    "person": site_access.add_person,
    "remove-person": site_access.remove_person,
    "remove-site": site_access.remove_site,
}

_QUESTIONS: Final[
    dict[str, Callable[[PageRequest, Site, dict[str, str]], Awaitable[Confirmation]]]
] = {
    "retention": _retention_question,
    erase_form.FORM: erase_form.question_of,
    "remove-goal": goals_form.removal_question,
    "remove-segment": goals_form.segment_question,
    "revoke-link": shared_links_form.revoke_question,
    "remove-import": imports_form.removal_question,
    "revoke": site_access.revoke_question,
    "remove-person": site_access.remove_person_question,
}
