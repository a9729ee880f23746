"""Security headers of pages, and the check that a form was sent from this server's own pages."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from analytics.errors import Forbidden

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)

IN_ANY_FRAME: Final = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
"""For the report of a shared link that pages of other sites may show in a frame."""

PAGE_HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def check_same_origin(request: Request) -> None:
    """Raise `Forbidden` for a POST that a page of another site has made a browser send.

    Browsers name the origin of a POST in `Sec-Fetch-Site`, or at least in `Origin`. A client that
    sends neither is not a browser, so another site cannot abuse somebody's cookies through it.
    """
    fetch_site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetch_site is not None:
        allowed = fetch_site in ("same-origin", "none")
    elif origin is not None:
        # The scheme is not compared: a proxy may terminate TLS in front of this server.
        allowed = urlsplit(origin).netloc == request.headers.get("host")
    else:
        allowed = True
    if not allowed:
        raise Forbidden("This form was sent from another site. Open the page here and try again.")
