"""One request for a page: who asks, for which site, and how the reply is dressed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from analytics import actor, caller, problem
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
from analytics.site import Site

ACCOUNT: Final = "/account"
_OPEN: Final = (ACCOUNT, "/logout")
"""What somebody can do whose password was chosen by somebody else."""
_PARAMETERS: Final = {"f": "filter", "f_op": "comparison", "f_value": "value", "prop": "property"}
"""What people call the parameters of an address whose own names say nothing."""
MAX_FORM_BYTES: Final = 200_000
MAX_PASSWORD_FORM_BYTES: Final = 4096
"""Of the forms with a password, which strangers can send."""


@dataclass(frozen=True)
class PageRequest:
    """A request, the program it is put to, and the person behind it, if known."""

    deps: DashboardContext
    request: Request
    person: Person | None

    def site(self) -> Site:
        """The site of the address, if this person (or everybody) may see it."""
        site = self.deps.catalog.sites.get(self.request.path_params["domain"])
        if site is not None and site.public:
            return site
        person = self.someone()
        if site is None or not person.sees(site.domain):
            # One answer, so that nobody learns which other sites there are.
            raise NotFound(
                "There is no site of this name here."
                if person.owner
                else "There is no site of this name that you may see. Ask an owner to add you."
            )
        return site

    async def may_still_see(self) -> bool:
        """Return whether the request, made again now, would be shown the site of its address."""
        person = await self.deps.catalog.people.logged_in(self.session) if self.session else None
        if person is not None and person.must_change:
            return False
        try:
            replace(self, person=person).site()
        except (Forbidden, NotFound, Unauthenticated):
            return False
        return True

    def owned_site(self) -> Site:
        """The site of the address, for somebody who may change it."""
        self.owner()
        return self.site()

    def someone(self) -> Person:
        """Who is logged in; raises `Unauthenticated`."""
        if self.person is None:
            raise Unauthenticated("Log in to see this page.")
        return self.person

    def owner(self) -> Person:
        """The logged-in owner; raises `Forbidden` for everybody else."""
        person = self.someone()
        if not person.owner:
            raise Forbidden("Only the owner can open this page.")
        return person

    def sites(self) -> Sequence[Site]:
        """The sites that this person sees, by domain."""
        if self.person is None:
            return ()
        return [s for s in self.deps.catalog.sites.all() if self.person.sees(s.domain)]

    async def form(self, most: int = MAX_FORM_BYTES) -> dict[str, str]:
        """The posted fields, of a repeated one the last. Raises `TooLarge` as `posted`."""
        fields = await self.posted(most)
        return {key: value for key, value in fields.items() if isinstance(value, str)}

    async def posted(self, most: int = MAX_FORM_BYTES) -> FormData:
        """The posted form of at most *most* bytes, without files.

        Raises `TooLarge`, before it reads anything.
        """
        length = digits(self.request.headers.get("content-length", ""))
        if length is None or length > most:
            raise TooLarge(f"A form may have {most:,} bytes here, and must say how many.")
        return await self.request.form(max_files=0, max_fields=100)

    def origin(self) -> str:
        """The address of this server as the reader's browser knows it."""
        if self.deps.public_url:
            return self.deps.public_url
        return str(self.request.base_url.replace(scheme=self.scheme())).rstrip("/")

    def scheme(self) -> str:
        """`https` where the browser speaks it, if only to a proxy in front of us."""
        return sessions.scheme(self.request, self.deps.public_url)

    def page(self, name: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """The template *name* as a reply, with what the change before it has to say."""
        said = flash.read(self.request, session=self.session)
        response = page(
            self.request, name, self.person, self.sites(), status=status, flash=said, **values
        )
        if said is not None:
            flash.forget(response, said)
        return response

    @property
    def session(self) -> str:
        """The token of the session; "" without one."""
        return sessions.token(self.request, self.deps.public_url)

    def done(self, path: str, text: str, *, where: str = "", secret: str = "") -> Response:
        """Go on to the page at *path*, which says once that a change was made."""
        response = redirect(f"{path}#{where}" if where else path)
        said = flash.Flash(path=path, text=text, where=where, secret=secret)
        flash.attach(response, said, session=self.session, secure=self.scheme() == "https")
        return response

    async def long_page(self, name: str, **values: Any) -> HTMLResponse:
        """The template *name* as a reply, made off the event loop: for pages of many rows."""
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
    """The template *name* as a reply, with what the frame around every page needs."""
    body = templates.render(
        name,
        person=person,
        sites=sites,
        here=request.url.path,
        **{"site": None, "flash": None, **values},
    )
    return HTMLResponse(body, status, PAGE_HEADERS)


def redirect(url: str) -> RedirectResponse:
    """Send the browser on to *url* by GET."""
    return RedirectResponse(url, 303, PAGE_HEADERS)


def endpoint(deps: DashboardContext, handler: Handler) -> Endpoint:
    """The route's function: find out who asks, and turn our errors into pages."""

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
            with actor.acting_as(actor.STRANGER if person is None else person.email):
                return await handler(PageRequest(deps, request, person))
        except Unauthenticated:
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return redirect("/login?" + urlencode({"next": back}))
        except AnalyticsError as error:
            return error_page(request, error, person)

    return answer


def error_page(request: Request, error: Exception, person: Person | None = None) -> Response:
    """The page for *error*: ours in its own words, any other without its details."""
    status = error.status_code if isinstance(error, HTTPException) else problem.status(error)
    # What went wrong inside is for the log: a reader can do nothing with it, but ask for less.
    message = str(error) if isinstance(error, Invalid | QueryTooLong) else ""
    if isinstance(error, Malformed):
        name = _PARAMETERS.get(error.field, error.field)
        message = f"{name}: {error.reason}" if name else error.reason
    if isinstance(error, Busy):
        message = (
            "Many reports are being read at this moment, and this one did not get its turn. Try"
            " again in a moment. Nothing that was counted is lost."
        )
    response = page(request, "error.html", person, (), status=status, code=status, message=message)
    response.headers.update(dict(problem.headers(error)))
    return response
