"""A page between a button and something that cannot be undone: it says what will be destroyed."""

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
    """One change that waits for a yes: what its page says, and where the answer goes."""

    page: str
    """Its path."""
    action: str
    """Where the answer is posted to."""
    back: str
    title: str
    says: tuple[str, ...]
    """What will happen, a paragraph each."""
    button: str
    fields: Mapping[str, str]
    """What the answer must name again."""
    state: str = ""
    """What must not have changed meanwhile."""


def first(ask: PageRequest, question: Confirmation, form: Mapping[str, object]) -> Response | None:
    """Return the redirect to the page that asks; None once the form carries a yes.

    Raises `Conflict` for a yes to another question, or to what has changed since.
    """
    answer = form.get(FIELD)
    if answer is None:
        return redirect(f"{question.page}?{urlencode(question.fields)}")
    if not hmac.compare_digest(str(answer).encode(), _token(ask, question).encode()):
        raise Conflict("This has changed since it was asked. Look again, and confirm once more.")
    return None


def show(ask: PageRequest, question: Confirmation, *, site: Site | None = None) -> Response:
    """Return the page that asks."""
    return ask.page("confirm.html", question=question, token=_token(ask, question), site=site)


def _token(ask: PageRequest, question: Confirmation) -> str:
    said = json.dumps([question.action, sorted(question.fields.items()), question.state])
    return hmac.digest(ask.session.encode(), b"confirm " + said.encode(), "sha256").hex()
