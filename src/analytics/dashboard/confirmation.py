"""The page that confirms a change which cannot be undone, and says what it destroys."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from analytics.dashboard.page_request import PageRequest, redirect
from analytics.errors import Conflict
from analytics.site import Site

FIELD: Final = "confirmed"


class Confirmation(NamedTuple):
    """One change that needs a confirmation."""

    page: str
    """The path of the page that asks."""
    action: str
    """The path to which the confirmation is posted."""
    back: str
    """The address to return to without a change."""
    title: str
    says: tuple[str, ...]
    """The consequences, one paragraph each."""
    button: str
    fields: Mapping[str, str]
    """The form fields that identify the change; the confirmation repeats them."""
    state: str = ""
    """The state that the change starts from; the confirmation is void once it differs."""


def first(ask: PageRequest, question: Confirmation, form: Mapping[str, object]) -> Response | None:
    """Return a redirect to the page that asks, or None once *form* confirms *question*.

    Raise `Conflict` when *form* confirms another question, or a state that has changed since.
    """
    token = form.get(FIELD)
    if token is None:
        return redirect(f"{question.page}?{urlencode(question.fields)}")
    if not hmac.compare_digest(str(token).encode(), _token(ask, question).encode()):
        raise Conflict(
            "Something has changed since this page asked. Check it again and confirm once more."
        )
    return None


def show(ask: PageRequest, question: Confirmation, *, site: Site | None = None) -> Response:
    """Return the page that asks."""
    return ask.page("confirm.html", question=question, token=_token(ask, question), site=site)


def _token(ask: PageRequest, question: Confirmation) -> str:
    subject = json.dumps([question.action, sorted(question.fields.items()), question.state])
    return hmac.digest(ask.session.encode(), b"confirm " + subject.encode(), "sha256").hex()
