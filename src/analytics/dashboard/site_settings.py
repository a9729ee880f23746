"""The settings of one site, as its owner sees and changes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.datastructures import FormData
from starlette.responses import Response

from analytics.dashboard.ask import Ask, redirect
from analytics.dashboard.setup import check_password
from analytics.dashboard.shields_form import read_shields
from analytics.dashboard.sites import snippet, timezones
from analytics.dashboard.templates import path_of
from analytics.errors import Conflict, Malformed
from analytics.parsing import whole_number
from analytics.person import Scope
from analytics.site import Site
from analytics.store.catalog import service

MAX_RETENTION_DAYS: Final = 36_500

SCOPES: Final[dict[Scope, str]] = {
    Scope.STATS_READ: "Read figures",
    Scope.EVENTS_WRITE: "Send events from a server",
    Scope.SITES_WRITE: "Add and change sites",
}

Change = Callable[[Ask, Site, FormData], Awaitable[Response | None]]


async def show(ask: Ask) -> Response:
    """The page with all its forms."""
    return await _page(ask, ask.owned_site())


async def change(ask: Ask) -> Response:
    """Do what the posted form asks for; `form` names which of the page's forms it is."""
    site = ask.owned_site()
    form = await ask.posted()
    name = str(form.get("form", ""))
    if name not in _CHANGES:
        raise Malformed("form", f"there is no form {name[:40]!r}")
    try:
        response = await _CHANGES[name](ask, site, form)
    except (Malformed, Conflict) as error:
        problem = error.reason if isinstance(error, Malformed) else str(error)
        return await _page(ask, site, status=error.status, problem=problem, form=name, given=form)
    return response or redirect(f"{path_of(site.domain)}/settings?saved={name}#{name}")


async def _page(
    ask: Ask,
    site: Site,
    *,
    status: int = 200,
    problem: str = "",
    form: str = "",
    given: FormData | None = None,
    secret: str = "",
) -> Response:
    people, keys = await ask.deps.catalog.people.all(), await ask.deps.catalog.keys.all()
    return ask.page(
        "settings.html",
        status=status,
        site=site,
        snippet=snippet(ask, site),
        timezones=timezones(),
        people=[person for person in people if person.sees(site.domain)],
        keys=[key for key in keys if key.site in (None, site.domain)],
        scopes=SCOPES,
        saved=ask.request.query_params.get("saved", ""),
        problem=problem,
        form_name=form,
        given={k: v for k, v in given.items() if isinstance(v, str)} if given else {},
        secret=secret,
    )


async def _general(ask: Ask, site: Site, form: FormData) -> None:
    timezone = str(form.get("timezone", ""))
    if timezone not in timezones() and timezone != site.timezone:
        raise Malformed("timezone", f"There is no time zone {timezone[:60]!r}.")
    changed = msgspec.structs.replace(site, timezone=timezone, public="public" in form)
    await ask.deps.catalog.sites.change(changed)


async def _privacy(ask: Ask, site: Site, form: FormData) -> None:
    changed = msgspec.structs.replace(
        site, honour_dnt="honour_dnt" in form, cookieless="cookieless" in form
    )
    await ask.deps.catalog.sites.change(changed)


async def _shields(ask: Ask, site: Site, form: FormData) -> None:
    shields = read_shields({key: str(value) for key, value in form.items()})
    await ask.deps.catalog.sites.change(msgspec.structs.replace(site, shields=shields))


async def _retention(ask: Ask, site: Site, form: FormData) -> None:
    text = str(form.get("days", "")).strip()
    days = whole_number(text, "days", least=1, most=MAX_RETENTION_DAYS) if text else None
    await ask.deps.catalog.sites.change(msgspec.structs.replace(site, retention_days=days))


async def _key(ask: Ask, site: Site, form: FormData) -> Response:
    wanted = {str(value) for value in form.getlist("scope")}
    scopes = [scope for scope in SCOPES if scope.value in wanted]
    if not scopes:
        raise Malformed("scope", "Choose at least one thing that the key may do.")
    label = str(form.get("label", "")).strip()[:100]
    target = None if form.get("reach") == "all" else site.domain
    _, secret = await service.create_key(ask.deps.catalog, scopes=scopes, site=target, label=label)
    # Shown in the reply to the POST itself: a secret has no place in an address or a redirect.
    return await _page(ask, site, form="key", secret=secret)


async def _revoke(ask: Ask, site: Site, form: FormData) -> Response:
    await service.revoke_key(ask.deps.catalog, str(form.get("key", "")), of=site.domain)
    return redirect(f"{path_of(site.domain)}/settings?saved=key#key")


async def _person(ask: Ask, site: Site, form: FormData) -> None:
    password = str(form.get("password", ""))
    check_password(password, password)
    owner = form.get("role") == "owner"
    await service.add_person(
        ask.deps.catalog,
        str(form.get("email", "")).strip(),
        password,
        owner=owner,
        sites=(site.domain,),
        must_change=False,
    )


async def _remove_person(ask: Ask, site: Site, form: FormData) -> Response:
    email = str(form.get("email", ""))
    if email == ask.owner().email:
        raise Malformed("email", "You cannot remove your own account.")
    await ask.deps.catalog.people.remove(email)
    return redirect(f"{path_of(site.domain)}/settings?saved=person#person")


async def _remove_site(ask: Ask, site: Site, form: FormData) -> Response:
    if str(form.get("domain", "")).strip().lower() != site.domain:
        raise Malformed("domain", f"Type {site.domain} to remove the site.")
    await service.remove_site(ask.deps.catalog, ask.deps.store, site.domain, erase=False)
    return redirect("/")


_CHANGES: Final[dict[str, Change]] = {
    "general": _general,
    "privacy": _privacy,
    "shields": _shields,
    "retention": _retention,
    "key": _key,
    "revoke": _revoke,
    "person": _person,
    "remove-person": _remove_person,
    "remove-site": _remove_site,
}
