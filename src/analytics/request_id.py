"""The id of a request, by which its answer and its lines in the log are found together."""

from __future__ import annotations

import random
import re
from typing import Final

from starlette.types import Scope

HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
"""What may stand in a log and in a header as it is."""


def of(scope: Scope) -> bytes:
    """What the sender (or a proxy in front of us) calls it, else a new one; noted in *scope*."""
    known: bytes | None = scope.get("request_id")
    if known is None:
        known = scope["request_id"] = _sent(scope) or b"%016x" % random.getrandbits(64)
    return known


def _sent(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            return value if _SANE.fullmatch(value) else None
    return None
