"""The headers that keep a page from running or leaking what it should not."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from analytics.errors import Forbidden

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)

PAGE_HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def check_same_origin(request: Request) -> None:
    """Raise `Forbidden` for a change that another site's page asks a browser to make.

    A browser says where a POST comes from in `Sec-Fetch-Site`, or at least in `Origin`. A
    client that sends neither is no browser, so nobody's cookies can be abused through it.
    """
    fetched = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetched is not None:
        allowed = fetched in ("same-origin", "none")
    elif origin is not None:
        # Not the scheme: a proxy may have ended TLS before us.
        allowed = urlsplit(origin).netloc == request.headers.get("host")
    else:
        allowed = True
    if not allowed:
        raise Forbidden("This form was sent from another site. Open the page here and try again.")
