"""The forms that make and revoke links to a site's report, for people without an account."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData
from starlette.responses import Response

from analytics.catalog import shared_links
from analytics.dashboard import confirmation
from analytics.dashboard.confirmation import Confirmation
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.templates import path_of
from analytics.errors import NotFound
from analytics.parsing import digits
from analytics.site import Site

NEW_LINK = "Copy the link now. Only a hash of its secret is kept, so it cannot be shown again."


async def add(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Make a link, and show its address once."""
    new_link = await shared_links.add_link(
        ask.deps.catalog,
        site.domain,
        str(form.get("name", "")),
        now=ask.deps.clock(),
        password_text=str(form.get("password", "")),
        embeddable="embeddable" in form,
    )
    address = ask.origin() + shared_links.address_of(site.domain, new_link.secret)
    return ask.done(_settings(site), NEW_LINK, where="links", secret=address)


async def revoke(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Revoke a link, once the change is confirmed."""
    question = await revoke_question(ask, site, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    link_id = int(question.fields["link"])
    link = await shared_links.revoke_link(ask.deps.catalog, site.domain, link_id)
    return ask.done(_settings(site), f"{link.name} is revoked.", where="links")


async def revoke_question(_: PageRequest, site: Site, fields: Mapping[str, object]) -> Confirmation:
    """Return the confirmation of revoking a link. Raise `NotFound`."""
    number = digits(str(fields.get("link", ""))[:19])
    if number is None:
        raise NotFound("There is no link of this number here.")
    link = shared_links.find_link(site, number)
    return Confirmation(
        page=f"{_settings(site)}/confirm",
        action=_settings(site),
        back=f"{_settings(site)}#links",
        title=f"Revoke the link {link.name}?",
        says=("Whoever has it no longer sees the report. A revoked link cannot be restored.",),
        button="Revoke the link",
        fields={"form": "revoke-link", "link": str(link.id)},
    )


def _settings(site: Site) -> str:
    return f"{path_of(site.domain)}/settings"
