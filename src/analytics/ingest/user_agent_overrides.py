"""Browsers and systems that uap-core has no name for, or a wrong one."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class NamedSoftware(NamedTuple):
    """A browser or a system, and its version as far as it is told."""

    family: str
    version: str = ""


_BROWSERS: Final = re.compile(
    r"\b(?P<NetSurf>NetSurf)/(?P<a>\d+\.\d+)|(?<![-\w])(?P<w3m>w3m)/(?P<b>\d+\.\d+)"
    r"|\b(?P<Dillo>Dillo)[/ ](?P<c>\d+\.\d+)|^(?P<edbrowse>edbrowse)/(?P<d>\d+\.\d+)"
    r"|\b(?P<IBrowse>IBrowse)[/ ](?P<e>\d+\.\d+)|\b(?P<WebPositive>WebPositive)/(?P<f>\d+\.\d+)"
    r"|\b(?P<Nintendo_Browser>NintendoBrowser)/(?P<g>\d+\.\d+)|\b(?P<Midori>Midori)/(?P<h>\d+)"
    r"|\b(?P<Kobo>Kobo eReader)|\b(?P<WPE_WebKit>WPE)\b|(?P<PlayStation>PlayStation)"
    r"|^(?P<Kodi>Kodi)/(?P<i>\d+\.\d+)",
    re.IGNORECASE,
)
_SYSTEMS: Final = re.compile(
    r"(?P<HarmonyOS>OpenHarmony) (?P<a>\d+(?:\.\d+)?)"
    r"|(?P<PlayStation>PlayStation)(?: ?(?:Portable|Vita))?(?:; PlayStation)? ?(?P<b>\d)?"
    r"|(?P<Nintendo_Switch>Nintendo Switch)|(?P<Nintendo_3DS>Nintendo 3DS)"
    r"|(?P<Nintendo_Wii_U>Nintendo WiiU)|(?P<Nintendo_Wii>Nintendo Wii)\b|\((?P<Haiku>Haiku)\b"
    r"|\((?P<OS_2>OS/2)|(?P<AmigaOS>AmigaOS) ?(?P<c>\d+\.\d+)?|(?P<RISC_OS>RISC ?OS)"
    r"|\b(?P<Android>FBAN/FB4A)|(?P<Palm_OS>PalmOS)|\((?P<Mac_OS>Macintosh)",
    re.IGNORECASE,
)
_SPELLED: Final = {"OS_2": "OS/2"}
_SAFARIS: Final = frozenset({"Safari", "Mobile Safari"})
_UNIXES: Final = frozenset(
    {"Linux", "Ubuntu", "Fedora", "Debian", "FreeBSD", "OpenBSD", "NetBSD", "Red Hat", "CentOS",
     "SUSE", "Gentoo", "Arch Linux", "Solaris"}
)  # fmt: skip


def browser(user_agent: str, family: str, system: str) -> NamedSoftware | None:
    """Return the right name of what uap-core calls *family* on *system*; None if that is right."""
    if family and (family not in _SAFARIS or system in ("Mac OS X", "iOS", "Windows")):
        return None
    rare = _named(_BROWSERS, user_agent)
    if rare is None and family in _SAFARIS and system in _UNIXES:
        # No Safari runs there, and the version that WebKitGTK tells is the same for ever.
        return NamedSoftware("WebKitGTK")
    return rare


def system(user_agent: str) -> NamedSoftware | None:
    """Return the system of an agent of which uap-core knows none; None if it has no name here."""
    return _named(_SYSTEMS, user_agent)


def _named(pattern: re.Pattern[str], user_agent: str) -> NamedSoftware | None:
    match = pattern.search(user_agent)
    if match is None:
        return None
    groups = {name: text for name, text in match.groupdict().items() if text}
    family = next(name for name in groups if len(name) > 1)
    version = next((text for name, text in groups.items() if len(name) == 1), "")
    return NamedSoftware(_SPELLED.get(family, family.replace("_", " ")), version)
