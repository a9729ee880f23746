"""Changes to the keys and viewers of one site, and its removal, made by an owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import FormData
from starlette.responses import Response

from analytics.catalog import domain as domains
from analytics.catalog import service
from analytics.dashboard import confirmation
from analytics.dashboard.confirmation import Confirmation
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.templates import path_of
from analytics.errors import Malformed
from analytics.parsing import whole_number
from analytics.person import MAX_KEY_DAYS, Key, Scope
from analytics.site import Site
from analytics.suggestions import unknown
from analytics.wording import counted

SCOPES: Final[dict[Scope, str]] = {
    Scope.STATS_READ: "Read figures",
    Scope.EVENTS_WRITE: "Send events from a server",
    Scope.SQL_READ: "Read every event in SQL",
}
"""The scopes that a form offers; nothing needs the others yet."""

_ROLES: Final = ("viewer", "owner")

NEW_KEY: Final = "Copy the key now. It is stored as a hash and cannot be shown again."


def scopes_of(form: FormData) -> list[Scope]:
    """Return the scopes that are ticked. Raise `Malformed` if there are none."""
    ticked = {str(value) for value in form.getlist("scope")}
    scopes = [scope for scope in SCOPES if scope.value in ticked]
    if not scopes:
        raise Malformed("scope", "Choose at least one thing that the key may do.")
    return scopes


async def add_key(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Create a key limited to this site, and show its secret once."""
    _, secret = await service.create_key(
        ask.deps.catalog,
        scopes=scopes_of(form),
        site=site.domain,
        label=label_of(form),
        days=days_of(form),
    )
    return ask.done(_settings(site), NEW_KEY, where="key", secret=secret)


def label_of(form: FormData) -> str:
    """Return the label by which the owner will recognise the key."""
    return str(form.get("label", "")).strip()[:100]


def days_of(form: FormData) -> int | None:
    """Return after how many days the key expires; None for never. Raise `Malformed`."""
    text = str(form.get("expires", "")).strip()
    if not text:
        return None
    return whole_number(text, "expires", least=1, most=MAX_KEY_DAYS)


def is_owner(form: FormData) -> bool:
    """Return True if the form gives the role of an owner. Raise `Malformed` for an unknown role."""
    role = str(form.get("role", "viewer"))
    if role not in _ROLES:
        raise Malformed("role", unknown("role", role, _ROLES))
    return role == "owner"


async def revoke_key(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Revoke a key of this site, once the change is confirmed."""
    question = await revoke_question(ask, site, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    key = await service.revoke_key(ask.deps.catalog, question.fields["key"], of=site.domain)
    return ask.done(_settings(site), f"{key.label or 'The key'} is revoked.", where="key")


async def revoke_question(
    ask: PageRequest, site: Site, fields: Mapping[str, object]
) -> Confirmation:
    """Return the confirmation of revoking a key of this site. Raise `NotFound`, `Forbidden`."""
    key = await service.find_key(ask.deps.catalog, str(fields.get("key", "")), of=site.domain)
    return revocation(key, page=_settings(site), part="key")


def revocation(key: Key, *, page: str, part: str) -> Confirmation:
    """Return the confirmation of revoking *key*, which the *part* of *page* leads to."""
    return Confirmation(
        page=f"{page}/confirm",
        action=page,
        back=f"{page}#{part}",
        title=f"Revoke {key.label or 'the unnamed key'}?",
        says=(
            f"It may do this on {key.site or 'all sites'}: {', '.join(key.scopes)}.",
            "Every program that uses it is refused from now on. A revoked key cannot be restored.",
        ),
        button="Revoke the key",
        fields={"form": "revoke", "key": key.id},
    )


async def add_person(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Let somebody see this site, or everything: with a new account or the one that they have."""
    email = str(form.get("email", "")).strip()
    owner = is_owner(form)
    account = await service.find_person(ask.deps.catalog, email)
    if account is None:
        password = str(form.get("password", ""))
        if not password:
            raise Malformed("password", f"Give a first password: there is no account of {email}.")
        added = await service.add_person(
            ask.deps.catalog,
            email,
            password,
            owner=owner,
            sites=(site.domain,),
            must_change=True,
        )
        text = (
            f"{added.email} may see {'everything' if owner else site.domain} now. Give them the"
            " first password: they choose their own when they log in."
        )
    elif account.owner or (account.sees(site.domain) and not owner):
        text = f"{account.email} already has access to {site.domain}."
    else:
        await service.change_person(
            ask.deps.catalog, email, owner=owner or None, add=(site.domain,)
        )
        what = "is an owner of this server" if owner else f"may see {site.domain}, too"
        text = f"{account.email} has an account already, and {what} now. The password is unchanged."
    return ask.done(_settings(site), text, where="person")


async def remove_person(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Take this site away from somebody, once the change is confirmed."""
    if str(form.get("email", "")) == ask.owner().email:
        raise Malformed("email", "You cannot remove your own account.")
    question = await remove_person_question(ask, site, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    email = question.fields["email"]
    account_removed = await service.withdraw(ask.deps.catalog, email, site.domain)
    text = (
        f"{email} can no longer log in."
        if account_removed
        else f"{email} no longer sees {site.domain}."
    )
    return ask.done(_settings(site), text, where="person")


async def remove_person_question(
    ask: PageRequest, site: Site, fields: Mapping[str, object]
) -> Confirmation:
    """Return the confirmation of taking this site away from somebody. Raise `NotFound`."""
    person = await service.person(ask.deps.catalog, str(fields.get("email", "")))
    if person.owner:
        raise Malformed("email", f"{person.email} is an owner: see People on the Server page.")
    others = [name for name in person.sites if name != site.domain]
    if others:
        says = f"They keep their account and their access to {', '.join(others)}."
    else:
        says = "It is the only site that they see, so their account is deleted, too."
    return Confirmation(
        page=f"{_settings(site)}/confirm",
        action=_settings(site),
        back=f"{_settings(site)}#person",
        title=f"Take {site.domain} away from {person.email}?",
        says=(says,),
        button="Take it away",
        fields={"form": "remove-person", "email": person.email},
        state=",".join(person.sites),
    )


async def show_removal(
    ask: PageRequest, site: Site, *, problem: str = "", status: int = 200
) -> Response:
    """Show what is removed together with the site, and the form that removes it."""
    await ask.deps.settle()
    attached = await service.attached(ask.deps.catalog, ask.deps.erases, site.domain)
    imports = await ask.deps.store.imports(site.domain)
    return ask.page(
        "remove_site.html",
        status=status,
        site=site,
        going=attached,
        imports=len(imports),
        problem=problem,
    )


async def remove_site(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Remove the site, with or without its events, if its name was typed correctly."""
    typed = str(form.get("domain", "")).strip().lower()
    if typed not in (site.domain, domains.shown(site.domain)):
        message = f"Type {site.domain} to remove the site."
        return await show_removal(ask, site, problem=message, status=400)
    erase = form.get("events") == "delete"
    if erase:
        await ask.deps.settle()
    removed = await service.remove_site(ask.deps.catalog, ask.deps.erases, site.domain, erase=erase)
    events = (
        f"{counted(removed.rows, 'stored event')} deleted"
        if erase
        else "its events are kept, and come back when it is added again"
    )
    text = f"{site.domain} is removed; {counted(removed.keys, 'key')} revoked; {events}."
    return ask.done("/" if ask.sites() else "/sites/new", text)


def _settings(site: Site) -> str:
    return f"{path_of(site.domain)}/settings"
