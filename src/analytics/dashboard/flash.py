"""A message that the next page shows once: that a change was made, or the secret of a new key.

A change is answered by a redirect, so that reloading the page repeats nothing. The message for the
page behind the redirect travels in a cookie for that page alone: scripts cannot read it, it is
signed with the session's token, and it is deleted once shown. So any replica can show it, and no
secret appears in an address or in a store.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

COOKIE: Final = "analytics_said"
_SECONDS: Final = 60
_DIGEST: Final = "sha256"
_DIGEST_BYTES: Final = 32


class Flash(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    path: str
    """The page that shows it."""
    text: str
    where: str = ""
    """The id of the part of the page that shows it; "" for the top of the page."""
    secret: str = ""


def attach(response: Response, flash: Flash, *, session: str, secure: bool) -> None:
    """Set the cookie that lets the page behind the redirect *response* show *flash*."""
    body = msgspec.json.encode(flash)
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(_signature(session, body) + body).decode(),
        max_age=_SECONDS,
        path=flash.path,
        httponly=True,
        samesite="strict",
        secure=secure,
    )


def read(request: Request, *, session: str) -> Flash | None:
    """Return the message for the page of *request*; None without a valid one."""
    try:
        content = base64.urlsafe_b64decode(request.cookies.get(COOKIE, ""))
        signature, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if not session or not hmac.compare_digest(signature, _signature(session, body)):
            return None
        flash = msgspec.json.decode(body, type=Flash)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return flash if flash.path == _raw_path(request) else None


def forget(response: Response, flash: Flash) -> None:
    """Delete the cookie of *flash*, which has been shown."""
    response.delete_cookie(COOKIE, path=flash.path)


def _raw_path(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.partition(b"?")[0].decode("ascii", "replace")


def _signature(session: str, body: bytes) -> bytes:
    return hmac.digest(session.encode(), b"said " + body, _DIGEST)
