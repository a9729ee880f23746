"""The id of a request, which its response and its lines in the log have in common."""

from __future__ import annotations

import re
import secrets
from itertools import count
from typing import Final

from starlette.types import Scope

HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
"""An id that is safe in a log and in a header."""
# An event waits for its id, so it is a number of this process and costs next to nothing.
_process: Final = secrets.token_hex(4).encode()
_numbers: Final = count(1)


def of(scope: Scope) -> bytes:
    """Return the id that the sender or a proxy gave it, else a new one; store it in *scope*."""
    request_id: bytes | None = scope.get("request_id")
    if request_id is None:
        request_id = scope["request_id"] = _sent(scope) or b"%b-%x" % (_process, next(_numbers))
    return request_id


def _sent(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            return value if _SANE.fullmatch(value) else None
    return None
