"""Reads the Forwarded header (RFC 7239): `for=203.0.113.9;proto=https, for="[2001:db8::1]:443"`."""

from __future__ import annotations

import re
from typing import Final

from analytics import bounds

_ELEMENT: Final = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*(?:"|$))+', re.DOTALL)
"""What stands between two commas; a comma in quotes is no end."""
_PAIR: Final = re.compile(
    r"""[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^";]*)(?:;|$)""", re.ASCII
)
_ESCAPED: Final = re.compile(r"\\(.)")


def hops(header: str) -> list[str]:
    """Return whom each proxy says that it forwards for, the nearest first.

    An element that cannot be read yields "". The visitor may have written the furthest ones, and
    other parameters than `for` may repeat what the visitor sent, in quotes.
    """
    elements = _ELEMENT.findall(header)
    return [_sender(element) for element in elements[: -bounds.HOPS - 1 : -1]]


def _sender(element: str) -> str:
    senders: list[str] = []
    at = 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return ""
        if pair[1].lower() == "for":
            senders.append(pair[2].strip())
        at = pair.end()
    if len(senders) != 1:
        return ""
    (sender,) = senders
    return _ESCAPED.sub(r"\1", sender[1:-1]) if sender.startswith('"') else sender
