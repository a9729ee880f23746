"""A request for a page: its person and site, its form, and the response around a template."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from analytics import actor, caller, problem, submission
from analytics.catalog import shared_links
from analytics.cpu_thread import run_in_cpu_thread
from analytics.dashboard import flash, templates
from analytics.dashboard import session as sessions
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.headers import PAGE_HEADERS, check_same_origin
from analytics.errors import (
    AnalyticsError,
    Busy,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    QueryTooLong,
    TooLarge,
    Unauthenticated,
)
from analytics.parsing import digits
from analytics.person import Person
from analytics.shared_link import SharedLink
from analytics.site import Site
from analytics.submission import AlreadyDone

ACCOUNT: Final = "/account"
SHARE: Final = "/share/"
LINK_COOKIE: Final = "analytics_link"
_OPEN: Final = (ACCOUNT, "/logout")
"""The only pages open to somebody whose password was chosen by somebody else."""
_PARAMETERS: Final = {"f": "filter", "f_op": "comparison", "f_value": "value", "prop": "property"}
"""Names for parameters of addresses, in messages about them."""
MAX_FORM_BYTES: Final = 200_000
MAX_PASSWORD_FORM_BYTES: Final = 4096
"""The limit of forms with a password, which anybody can send."""


class LinkLocked(Unauthenticated):
    """A shared link has a password that this browser has not given."""


@dataclass(frozen=True)
class PageRequest:
    """A request, the parts of the program that answer it, and the person who is logged in."""

    deps: DashboardContext
    request: Request
    person: Person | None

    def site(self) -> Site:
        """Return the site in the address. Raise `NotFound` unless this person may see it."""
        site = self.deps.catalog.sites.get(self.request.path_params["domain"])
        if self.is_shared:
            return self._shared(site)
        if site is not None and site.public:
            return site
        person = self.someone()
        if site is None or not person.sees(site.domain):
            # The same answer in both cases, so as not to reveal which sites exist.
            raise NotFound(
                "There is no site of this name here."
                if person.owner
                else "There is no site of this name that you may see. Ask an owner to add you."
            )
        return site

    @property
    def is_shared(self) -> bool:
        """Return whether the address is that of a shared link, which no login opens."""
        return self.request.url.path.startswith(SHARE)

    @property
    def secret(self) -> str:
        """Return the secret of the shared link in the address; "" for any other address."""
        return self.request.query_params.get("auth", "") if self.is_shared else ""

    def link(self, site: Site | None) -> SharedLink:
        """Return the shared link in the address. Raise `NotFound` unless it leads to *site*."""
        return self.linked(site)[1]

    def linked(self, site: Site | None) -> tuple[Site, SharedLink]:
        """Return *site* and the link in the address. Raise `NotFound` unless it leads there."""
        link = None if site is None else shared_links.link_of(site, self.secret)
        if site is None or link is None:
            raise NotFound("This link leads nowhere: it was revoked, or is not complete.")
        return site, link

    def _shared(self, site: Site | None) -> Site:
        site, link = self.linked(site)
        kept = self.request.cookies.get(LINK_COOKIE, "")
        if link.password_hash and not hmac.compare_digest(
            kept.encode(), shared_links.proof(link, self.secret).encode()
        ):
            raise LinkLocked("This report asks for a password.")
        return site

    async def may_still_see(self) -> bool:
        """Return True if the same request, made now, would still be allowed to see the site."""
        person = await self.deps.catalog.people.logged_in(self.session) if self.session else None
        if person is not None and person.must_change:
            return False
        try:
            replace(self, person=person).site()
        except (Forbidden, NotFound, Unauthenticated):
            return False
        return True

    def owned_site(self) -> Site:
        """Return the site in the address. Raise `Forbidden` unless this person may change it."""
        self.owner()
        return self.site()

    def someone(self) -> Person:
        """Return who is logged in. Raise `Unauthenticated`."""
        if self.person is None:
            raise Unauthenticated("Log in to see this page.")
        return self.person

    def owner(self) -> Person:
        """Return the owner who is logged in. Raise `Unauthenticated` or `Forbidden`."""
        person = self.someone()
        if not person.owner:
            raise Forbidden("Only the owner can open this page.")
        return person

    def sites(self) -> Sequence[Site]:
        """Return the sites that this person may see, ordered by domain."""
        if self.person is None:
            return ()
        return [s for s in self.deps.catalog.sites.all() if self.person.sees(s.domain)]

    async def form(self, most: int = MAX_FORM_BYTES) -> dict[str, str]:
        """Return the posted fields, the last value of repeated ones. Raise as `posted`."""
        fields = await self.posted(most)
        return {key: value for key, value in fields.items() if isinstance(value, str)}

    async def posted(self, most: int = MAX_FORM_BYTES) -> FormData:
        """Return the posted form, which may have at most *most* bytes and no files.

        Raise `TooLarge` before reading anything.
        """
        length = digits(self.request.headers.get("content-length", ""))
        if length is None or length > most:
            raise TooLarge(
                f"A form may have at most {most:,} bytes here, and must state its length."
            )
        form = await self.request.form(max_files=0, max_fields=100)
        if form.get(submission.FIELD):
            fields = [(name, str(value)) for name, value in form.multi_items()]
            path = self.request.url.path
            submission.carry_out(submission.Submission(path, fields, self.session))
        return form

    def origin(self) -> str:
        """Return the address of this server as the browser knows it, without a path."""
        if self.deps.public_url:
            return self.deps.public_url
        return str(self.request.base_url.replace(scheme=self.scheme())).rstrip("/")

    def scheme(self) -> str:
        """Return `https` if the browser uses it, even if only to a proxy in front of the server."""
        return sessions.scheme(self.request, self.deps.public_url)

    def page(self, name: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """Return the template *name* as a response, with the message of the last change, if any."""
        message = flash.read(self.request, session=self.session)
        response = page(
            self.request, name, self.person, self.sites(), status=status, flash=message, **values
        )
        if message is not None:
            flash.forget(response, message)
        return response

    @property
    def session(self) -> str:
        """Return the token of the session; "" without one."""
        return sessions.token(self.request, self.deps.public_url)

    def done(self, path: str, text: str, *, where: str = "", secret: str = "") -> Response:
        """Redirect to the page at *path*, which shows *text* and *secret* once."""
        response = redirect(f"{path}#{where}" if where else path)
        message = flash.Flash(path=path, text=text, where=where, secret=secret)
        flash.attach(response, message, session=self.session, secure=self.scheme() == "https")
        return response

    async def long_page(self, name: str, **values: Any) -> HTMLResponse:
        """Return the template *name* as a response, rendered in a thread: it has many rows."""
        return await run_in_cpu_thread(lambda: self.page(name, **values))


Handler = Callable[[PageRequest], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def page(
    request: Request,
    name: str,
    person: Person | None,
    sites: Sequence[Site],
    *,
    status: int = 200,
    **values: object,
) -> HTMLResponse:
    """Return the template *name* as a response, with the values that every page's frame needs."""
    body = templates.render(
        name,
        person=person,
        sites=sites,
        here=request.url.path,
        **{"site": None, "flash": None, **values},
    )
    return HTMLResponse(body, status, PAGE_HEADERS)


def redirect(url: str) -> RedirectResponse:
    """Redirect the browser to *url*, which it requests by GET."""
    return RedirectResponse(url, 303, PAGE_HEADERS)


def endpoint(deps: DashboardContext, handler: Handler) -> Endpoint:
    """Return the function of a route: it identifies the person, and turns errors into pages."""

    async def answer(request: Request) -> Response:
        person: Person | None = None
        try:
            if request.method == "POST":
                check_same_origin(request)
            person = await sessions.person(deps.catalog.people, request, deps.public_url)
            if person is not None:
                caller.set_person(person.id)
            if person is not None and person.must_change and request.url.path not in _OPEN:
                return redirect(ACCOUNT)
            if request.url.path.startswith(SHARE):
                person = None  # whoever follows a link sees what it opens, and no more
            ask = PageRequest(deps, request, person)
            who = actor.STRANGER if person is None else person.email
            with actor.acting_as(who), submission.none():
                return await handler(ask)
        except AlreadyDone:
            return ask.done(request.url.path, "This was done already: the form was sent twice.")
        except LinkLocked:
            return redirect(_unlock(request))
        except Unauthenticated:
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return redirect("/login?" + urlencode({"next": back}))
        except AnalyticsError as error:
            return error_page(request, error, person)

    return answer


def _unlock(request: Request) -> str:
    """Return where the password of the shared link of *request* is asked for."""
    path = SHARE + quote(request.path_params["domain"], safe="") + "/unlock"
    return f"{path}?{urlencode({'auth': request.query_params.get('auth', '')})}"


def error_page(request: Request, error: Exception, person: Person | None = None) -> Response:
    """Return the page for *error*, with its message only if that is meant for readers."""
    status = error.status_code if isinstance(error, HTTPException) else problem.status(error)
    # Internal failures go to the log. A query that takes too long is one that readers can change.
    message = str(error) if isinstance(error, Invalid | QueryTooLong) else ""
    if isinstance(error, Malformed):
        name = _PARAMETERS.get(error.field, error.field)
        message = f"{name}: {error.reason}" if name else error.reason
    if isinstance(error, Busy):
        message = (
            "The server is busy with other reports, and this one had to wait too long. Try"
            " again in a moment. Nothing that was counted is lost."
        )
    response = page(request, "error.html", person, (), status=status, code=status, message=message)
    response.headers.update(dict(problem.headers(error)))
    return response
