"""Parse the columns of an access log's line in front of its time: client and virtual host.

    203.0.113.9 - frank                       the combined format: address, identity, user
    203.0.113.9, 10.0.0.7 - -                 X-Forwarded-For in place of the address
    example.com:443 203.0.113.9 - -           a virtual host in front (Apache's `vhost_combined`)
    203.0.113.9 example.com -                 a virtual host behind the address (lighttpd)

What collectors of logs put in front of a line (syslog, Kubernetes, Docker Compose) is passed over.
An address is recognized by its form, wherever it stands and however a list of them is written, so
that none is taken for a host. Identity and user are not read.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from analytics.errors import Malformed
from analytics.ingest.addresses import parse_address

_PROGRAM: Final = r"[\w./-]+(?:\[\d+\])?: "
_COLLECTOR: Final = re.compile(
    r"\s*(?:"
    # syslog as in RFC 3164, and as in RFC 5424
    rf"(?:<\d{{1,3}}>)?[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d (?:\S+ )?{_PROGRAM}"
    r"|<\d{1,3}>1 (?:\S+ ){5}(?:-|\[.*\]) "
    # files of containers, and of rsyslog
    rf"|\d{{4}}-\d\d-\d\dT\S+ (?:std(?:out|err) [FP] |\S+ {_PROGRAM})"
    # `docker compose logs`
    r"|[a-zA-Z][\w-]* +\| "
    r")"
)
_AROUND: Final = str.maketrans('"()', "   ")
_SEPARATOR: Final = re.compile(" ?[,;] ?")
_ANY_HOST: Final = frozenset({"_", "default", "default_server", "_default_"})
"""Names that servers' configurations give to the virtual host that answers for any name."""
_ABSENT: Final = frozenset({"-", "unknown", *_ANY_HOST})
"""Placeholders of an absent value."""
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(
    rf"(?:{_LABEL}\.)*(?=[0-9_-]*[a-z]){_LABEL}\.?(?::\d{{1,5}})?", re.IGNORECASE | re.ASCII
)
_NAMED_AFTER_ADDRESS: Final = re.compile(
    r"\d{1,3}([._-])\d{1,3}\1\d{1,3}\1\d{1,3}"
    r"|(?:[0-9a-f]{1,4}-){7}[0-9a-f]{1,4}|[0-9a-f]{1,4}(?:-[0-9a-f]{1,4})*--[0-9a-f]",
    re.IGNORECASE,
)
"""As providers name their customers' connections: `c-203-0-113-77.example.net`."""

_NO_SENDER: Final = "no address of a visitor stands in front of the time"
_UNKNOWN_FRONT: Final = "something unknown stands in front of the visitor's address: cut that off"


class Columns(NamedTuple):
    """The addresses and the host in front of the time."""

    host: str
    """The virtual host with its port, if any; "" when the line names none."""
    senders: tuple[str, ...]
    """The addresses in the order of the line; one name where the server writes names."""


def parse(text: str) -> Columns:
    """Understand *text*. Raises `Malformed` when it names no sender."""
    collected = _COLLECTOR.match(text)
    text = text[collected.end() :] if collected else text
    words = _SEPARATOR.sub(",", " ".join(text.translate(_AROUND).split())).split(" ")
    lists = [_addresses(word) for word in words]
    begin = next((index for index, addresses in enumerate(lists) if addresses), len(words))
    before = words[:begin]
    if before and before[0] not in _ABSENT:
        if not _HOST.fullmatch(before[0]):
            raise Malformed("", _NO_SENDER)
        host = before[0].lower() if _is_host(before[0]) else ""
        if begin == len(words) or not {*before[1:]} <= _ABSENT:
            # Names only, as with Apache's HostnameLookups: the host's in front, if there are two.
            if len(words) > 3 and words[2] == "-" and _HOST.fullmatch(words[1]):
                return Columns(host, (words[1],))
            if begin < len(words):
                raise Malformed("", _UNKNOWN_FRONT)
            return Columns("", (before[0],))
    elif {*before} <= _ABSENT:
        host = ""
    else:
        raise Malformed("", _NO_SENDER)
    end = next((index for index in range(begin, len(words)) if not lists[index]), len(words))
    if end == len(words):
        raise Malformed("", _NO_SENDER)
    if not host and "." in words[end] and _is_host(words[end]):
        host = words[end].lower()
    return Columns(host, tuple(address for addresses in lists[begin:end] for address in addresses))


def forwarded(text: str) -> tuple[str, ...]:
    """Return the addresses of an X-Forwarded-For field; none if it is not a list of addresses."""
    parts = [part for part in re.split("[, ]+", text) if part not in _ABSENT]
    addresses = tuple(address for part in parts if (address := parse_address(part)))
    return addresses if len(addresses) == len(parts) else ()


def _addresses(word: str) -> tuple[str, ...]:
    """Return the addresses in *word*, one or a list; other entries of a list are ignored."""
    return tuple(address for part in word.split(",") if (address := parse_address(part)))


def _is_host(name: str) -> bool:
    return _HOST.fullmatch(name) is not None and not _NAMED_AFTER_ADDRESS.search(name)
