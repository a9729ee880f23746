"""A reference to one visitor of a site: by number, as exports show it, or by cookie."""

from __future__ import annotations

from analytics.errors import Malformed
from analytics.site import Site
from analytics.visitor_id import from_cookie


def named(site: Site, number: int | None, cookie: str | None) -> int | None:
    """Return the number of the visitor; None if neither *number* nor *cookie* is given.

    Raise `Malformed` for both, and for an empty cookie.
    """
    if cookie is None:
        return number
    if number is not None:
        raise Malformed("cookie", "name the visitor by number or by cookie, not by both")
    if not cookie:
        raise Malformed("cookie", "it is empty; give the value of the visitor's cookie")
    return from_cookie(site.domain, cookie)
