"""Changes to people and to keys of all sites, made by an owner on the server's page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.datastructures import FormData
from starlette.responses import Response

from analytics.catalog import service
from analytics.dashboard import confirmation
from analytics.dashboard.confirmation import Confirmation
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.site_access import (
    NEW_KEY,
    days_of,
    is_owner,
    label_of,
    revocation,
    scopes_of,
)
from analytics.errors import Malformed, NotFound
from analytics.wording import counted

PAGE: Final = "/admin"
Change = Callable[[PageRequest, FormData], Awaitable[Response]]


async def change(ask: PageRequest, form: FormData) -> Response:
    """Carry out the posted form; its field `form` names which one. Raise `Malformed`."""
    name = str(form.get("form", ""))
    if name not in _CHANGES:
        raise Malformed("form", f"there is no form {name[:40]!r}")
    return await _CHANGES[name](ask, form)


async def question(ask: PageRequest, fields: Mapping[str, str]) -> Confirmation:
    """Return the confirmation of a change that cannot be undone. Raise `NotFound`."""
    name = fields.get("form", "")
    if name not in _QUESTIONS:
        raise NotFound("There is nothing to confirm here.")
    return await _QUESTIONS[name](ask, fields)


async def _add_key(ask: PageRequest, form: FormData) -> Response:
    _, secret = await service.create_key(
        ask.deps.catalog,
        scopes=scopes_of(form),
        site=None,
        label=label_of(form),
        days=days_of(form),
    )
    return ask.done(PAGE, NEW_KEY, where="keys", secret=secret)


async def _revoke(ask: PageRequest, form: FormData) -> Response:
    question = await _revoke_question(ask, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    key = await service.revoke_key(ask.deps.catalog, question.fields["key"])
    return ask.done(PAGE, f"{key.label or 'The key'} is revoked.", where="keys")


async def _revoke_question(ask: PageRequest, fields: Mapping[str, object]) -> Confirmation:
    key = await service.find_key(ask.deps.catalog, str(fields.get("key", "")))
    return revocation(key, page=PAGE, part="keys")


async def _role(ask: PageRequest, form: FormData) -> Response:
    email = str(form.get("email", ""))
    if email == ask.owner().email:
        raise Malformed("email", "You cannot change your own role.")
    person = await service.change_person(ask.deps.catalog, email, owner=is_owner(form))
    sees = "owns this server" if person.owner else f"sees {', '.join(person.sites)}"
    return ask.done(PAGE, f"{person.email} {sees} now.", where="people")


async def _password(ask: PageRequest, form: FormData) -> Response:
    person = await service.person(ask.deps.catalog, str(form.get("email", "")))
    if person.email == ask.owner().email:
        raise Malformed("email", "Change your own password on the Account page.")
    password = str(form.get("password", ""))
    await service.set_password(ask.deps.catalog, person.email, password, must_change=True)
    text = (
        f"{person.email} is logged out everywhere. Give them the new password: they choose their"
        " own when they next log in."
    )
    return ask.done(PAGE, text, where="people")


async def _end_sessions(ask: PageRequest, form: FormData) -> Response:
    email = str(form.get("email", ""))
    ended = await service.end_sessions(ask.deps.catalog, email, keep=ask.session)
    text = f"{ended.email} is logged out everywhere: {counted(ended.sessions, 'session')} ended."
    return ask.done(PAGE, text, where="people")


async def _end_all_sessions(ask: PageRequest, _: FormData) -> Response:
    ended = (await service.end_sessions(ask.deps.catalog, None, keep=ask.session)).sessions
    text = f"Everybody else is logged out: {counted(ended, 'session')} ended. You stay logged in."
    return ask.done(PAGE, text, where="people")


async def _remove_person(ask: PageRequest, form: FormData) -> Response:
    if str(form.get("email", "")) == ask.owner().email:
        raise Malformed("email", "You cannot remove your own account.")
    question = await _remove_person_question(ask, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    person = await service.remove_person(ask.deps.catalog, question.fields["email"])
    return ask.done(PAGE, f"{person.email} can no longer log in.", where="people")


async def _remove_person_question(ask: PageRequest, fields: Mapping[str, object]) -> Confirmation:
    person = await service.person(ask.deps.catalog, str(fields.get("email", "")))
    sees = "everything, as an owner" if person.owner else ", ".join(person.sites) or "no site"
    return Confirmation(
        page=f"{PAGE}/confirm",
        action=PAGE,
        back=f"{PAGE}#people",
        title=f"Remove {person.email}?",
        says=(f"They see {sees}. Their account is deleted and their sessions end.",),
        button="Remove the account",
        fields={"form": "remove-person", "email": person.email},
        state=f"{person.owner} {','.join(person.sites)}",
    )


_CHANGES: Final[dict[str, Change]] = {
    "key": _add_key,
    "revoke": _revoke,
    "role": _role,
    "password": _password,
    "end-sessions": _end_sessions,
    "end-all-sessions": _end_all_sessions,
    "remove-person": _remove_person,
}
_QUESTIONS: Final[
    dict[str, Callable[[PageRequest, Mapping[str, object]], Awaitable[Confirmation]]]
] = {
    "revoke": _revoke_question,
    "remove-person": _remove_person_question,
}
