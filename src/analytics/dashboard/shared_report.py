"""The report of one site as a shared link opens it: without a login, perhaps in a frame."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from analytics.catalog import shared_links
from analytics.dashboard import headers, report_page
from analytics.dashboard.page_request import (
    LINK_COOKIE,
    MAX_PASSWORD_FORM_BYTES,
    SHARE,
    PageRequest,
    redirect,
)
from analytics.dashboard.templates import path_of
from analytics.dashboard.throttle import Throttle
from analytics.site import Site

_SECONDS = 24 * 3600


class SharedReport:
    """The pages below /share."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def show(self, ask: PageRequest) -> Response:
        """Show the report."""
        return _framed(ask, await report_page.show(ask))

    async def full_list(self, ask: PageRequest) -> Response:
        """Show all rows of one tab."""
        return _framed(ask, await report_page.full_list(ask))

    async def locked(self, ask: PageRequest) -> Response:
        """Ask for the password of the link."""
        self._site(ask)
        return ask.page("unlock.html", secret=ask.secret, problem="")

    async def unlock(self, ask: PageRequest) -> Response:
        """Remember in the browser that the password was right, for a day."""
        site = self._site(ask)
        link = ask.link(site)
        form = await ask.form(MAX_PASSWORD_FORM_BYTES)
        address = ask.deps.client(ask.request)
        self._throttle.take_from(address, "links")
        if not await shared_links.opens(link, form.get("password", "")):
            fault = "This is not the password of this report."
            return ask.page("unlock.html", status=401, secret=ask.secret, problem=fault)
        self._throttle.give_back_to(address, "links")
        path = SHARE.rstrip("/") + path_of(site.domain)
        response = redirect(f"{path}?{urlencode({'auth': ask.secret})}")
        response.set_cookie(
            LINK_COOKIE,
            shared_links.proof(link, ask.secret),
            max_age=_SECONDS,
            path=path,
            httponly=True,
            samesite="lax",
            secure=ask.scheme() == "https",
        )
        return response

    def _site(self, ask: PageRequest) -> Site:
        site = ask.deps.catalog.sites.get(ask.request.path_params["domain"])
        return ask.linked(site)[0]


def _framed(ask: PageRequest, response: Response) -> Response:
    """Return *response* for any page's frame, where the link allows that."""
    site = ask.site()
    if ask.link(site).embeddable:
        response.headers["Content-Security-Policy"] = headers.IN_ANY_FRAME
        del response.headers["Cross-Origin-Opener-Policy"]
    return response
