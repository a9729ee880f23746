"""Names the machine behind a user agent as the table of machines does, else as it says itself."""

from __future__ import annotations

import re
from typing import Final

from analytics import machines
from analytics.ingest.user_agent_overrides import NamedSoftware

_VERSION: Final = re.compile(r"[ /_]?(?:version[_ ])?[v/]?(\d+(?:\.\d+)?)", re.IGNORECASE)
_ITSELF: Final = re.compile(
    r"(?<![\w.@/-])(?!(?:bot|crawler|spider)s?\b)"
    r"([A-Za-z][\w.-]{0,60}(?:bot|crawler|spider|fetcher|scanner|archiver|monitor)[\w-]{0,20})",
    re.IGNORECASE,
)
"""A name with the word for what it is in it."""
_COMPATIBLE: Final = re.compile(
    r"compatible; ?(?:U; ?)?(?!MSIE|https?:|www\.|[+$])"
    r"([A-Za-z0-9][^;()/+,$@]{1,60}?)(?=[;()/+,@]|[ -]+[+h(]|$)"
)
"""What a program says in the place of a browser's name."""
_FIRST: Final = re.compile(r"(?!Mozilla|Opera)([A-Za-z][\w.-]{1,60}?)(?=[/ ;(]|$)")
_BROWSERS: Final = re.compile(
    r"(?:Mobile )?(?:Chrome|Chromium|Safari|Firefox|Edge|IE|Opera|Android|WebKitGTK|Apple Mail"
    r"|Other)\b"
)
"""Families that a machine names only because it is built on that browser."""
_NO_NAME: Final = re.compile(r".*[/@].*|(?:bot|crawler|spider)s?", re.IGNORECASE)
"""What lists of patterns take for a name, and is an address or a bare word."""


def name(user_agent: str, family: NamedSoftware) -> NamedSoftware:
    """Return the name and the version of the machine that sent *user_agent*.

    *family* is what a list of browsers calls it.
    """
    match_in_table = machines.named_in(user_agent)
    if match_in_table is not None:
        machine, rest = match_in_table
        version = _VERSION.match(rest)
        return NamedSoftware(machine.name, version[1] if version else "")
    doubtful = (
        family.family in machines.all_known()  # by a part of its name, or what it is made with
        or _BROWSERS.match(family.family)
        or _NO_NAME.fullmatch(family.family)
    )
    if family.family and not doubtful:
        return family
    match = _ITSELF.search(user_agent) or _COMPATIBLE.search(user_agent) or _FIRST.match(user_agent)
    if match is None:
        return NamedSoftware("") if _NO_NAME.fullmatch(family.family) else family
    version = _VERSION.match(user_agent[match.end() :])
    return NamedSoftware(match[1].strip(), version[1] if version else "")
