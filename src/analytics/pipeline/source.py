"""Name the source of a visit, by tables of known referrers.

A host inherits the category of its parent domain only where both lead to the same service (`m.`,
`de.`): `docs.google.com` is not a search engine, and `aws.amazon.com` not a shop. Social networks
and video sites count as themselves on any subdomain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

from analytics.bounded_cache import bounded_cache
from analytics.pipeline import suffix
from analytics.pipeline.channel import Category, channel_of

CACHED: Final = 16_384
"""How many different origins are remembered; beyond that, those unused for longest go."""

_DATA: Final = files("analytics.pipeline") / "data"
_DOOR: Final = (
    r"(?!(?:id|my|tv|ad|me|tr|ai)$)[a-z]{2}(?:-[a-z]{2})?|m|mobile?|touch|wap|www\d*|web|lite|amp|html"
    r"|start|safe|global|r|noai|images?|img|lens|cse|encrypted|suche"
)
_SHOP_DOOR: Final = "apps|partners|checkout|store|order|offer|message|seller|smile|one|click|s"
_DOORS: Final = {
    Category.SEARCH: re.compile(_DOOR),
    Category.AI: re.compile(f"{_DOOR}|chat|app"),
    Category.SHOPPING: re.compile(f"{_DOOR}|{_SHOP_DOOR}"),
}
"""By category, the labels of subdomains that are the same place."""
_SEARCH: Final = "search"
"""The label below which every subdomain is the same place: `r.search.yahoo.com`."""
_MAIL: Final = re.compile(r"(?:e|e?mail|webmail)\.")
_ADS: Final = re.compile(r"[-_. ]?ads?$")


class KnownSource(NamedTuple):
    """A source, and what the channel rules need to know of it."""

    name: str
    category: Category | None = None
    paid: bool = False


_NOBODY: Final = KnownSource("")


class _Extra(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`referrers_extra.json`: what we add to the vendored table, and overrule in it."""

    hosts: dict[str, str]
    names: dict[str, str]
    """Shorthands that people write into utm_source."""
    paid: str
    """Shorthands that mean an advertisement."""
    categories: dict[str, str]
    national: dict[str, str]
    """Sources with a host in many countries, by the name registered under each suffix."""
    click_ids: dict[str, str]


class Sources:
    """The tables of known sources, and a bounded cache of what was resolved by them.

    Precedence: utm_source, then the referrer, then the kind of click id. A source is known by
    one name however its sender writes it; a tag that is in no table is kept as it was written, and
    a referrer goes by its host.
    """

    def __init__(self) -> None:
        table = json.loads((_DATA / "referrers.json").read_text("utf-8"))
        extra = msgspec.json.decode((_DATA / "referrers_extra.json").read_bytes(), type=_Extra)
        self._addresses: dict[str, KnownSource] = {}
        self._names: dict[str, KnownSource] = {}
        self._fill(table, extra)
        self._national = {
            registered: self._names[name.lower()] for registered, name in extra.national.items()
        }
        self._with_path = frozenset(a.partition("/")[0] for a in self._addresses if "/" in a)
        self._longest_path = max(len(a.partition("/")[2]) for a in self._addresses)
        self._clicks = {kind: self._names[name.lower()] for kind, name in extra.click_ids.items()}
        self.resolve = bounded_cache(CACHED)(self._resolve)
        """(referrer, utm_source, utm_medium, utm_campaign, click_id) to (source, channel)."""

    def _resolve(
        self, referrer: str, utm_source: str, utm_medium: str, utm_campaign: str, click_id: str
    ) -> tuple[str, str]:
        click = click_id.lower()
        written = utm_source.strip()
        tagged = written.lower()
        if tagged:
            source = self._tagged(tagged, written)
        elif referrer:
            source = self._referring(referrer.lower())
        else:
            source = self._clicks.get(click, _NOBODY)
        channel = channel_of(
            source.name.lower(),
            category=source.category,
            paid=source.paid,
            tagged=tagged,
            medium=utm_medium.strip().lower(),
            campaign=utm_campaign.strip().lower(),
            click=click,
        )
        return source.name, str(channel)

    def _tagged(self, text: str, written: str) -> KnownSource:
        source = self._names.get(text)
        if source is not None:
            return source
        if suffix.registered(host_of(text)):
            return self._referring(_without_scheme(text))
        advertiser = self._names.get(_ADS.sub("", text))
        return advertiser._replace(paid=True) if advertiser is not None else KnownSource(written)

    def _referring(self, address: str) -> KnownSource:
        host, path = _host(address), address.removeprefix("www.").partition("/")[2]
        if host in self._with_path:
            for end in range(min(len(path), self._longest_path), 0, -1):
                source = self._addresses.get(f"{host}/{path[:end]}")
                if source is not None and path[end : end + 1] in ("", "/"):
                    return source
        for parent in _suffixes(host):
            source = self._addresses.get(parent)
            if source is not None:
                return _within(source, host, parent)
        registered = suffix.registered(host)
        if registered is None:
            return KnownSource(host) if host.count(".") > 1 and not host[-1].isdigit() else _NOBODY
        name, public = registered
        source = self._national.get(name)
        # Beside `com`, only the suffixes of countries: `google.dev` is a site of its own.
        if source is not None and (public == "com" or len(public.rpartition(".")[2]) == 2):
            return _within(source, host, f"{name}.{public}")
        return KnownSource(host)

    def _fill(self, table: dict[str, dict[str, str]], extra: _Extra) -> None:
        listed = {
            name: None if category == "referral" else Category(category)
            for category, names in extra.categories.items()
            for name in names.split("|")
        }
        # In this order, so that a name which searches and mails (Yandex) counts as a search.
        for medium in ("referral", "paid", "email", "social", "search"):
            own = Category(medium) if medium in ("email", "social", "search") else None
            for name, addresses in table[medium].items():
                general = listed.get(name, own)
                source = KnownSource(name, own if medium == "email" else general)
                for address in addresses.split():
                    self._addresses[address] = source._replace(paid=medium == "paid")
                # As a tag, "free" or "orange" is hardly the forgotten engine of that name.
                certain = None if medium == "search" else own
                self._names[name.lower()] = KnownSource(name, listed.get(name, certain))
        for name, addresses in extra.hosts.items():
            self._names[name.lower()] = KnownSource(name, listed[name])
            for address in addresses.split():
                self._addresses[address] = KnownSource(name, listed[name])
        for name, shorthands in extra.names.items():
            source = self._names.setdefault(name.lower(), KnownSource(name, listed.get(name)))
            for shorthand in shorthands.split():
                self._names[shorthand] = source
        for shorthand in extra.paid.split():
            self._names[shorthand] = self._names[shorthand]._replace(paid=True)
        # One spelling for each: the table and our additions differ in a few ("Youtube").
        for address, source in self._addresses.items():
            spelled = self._names[source.name.lower()].name
            self._addresses[address] = source._replace(name=spelled)


def _within(source: KnownSource, host: str, parent: str) -> KnownSource:
    """Return the source of *host*, whose *parent* domain is that of *source*."""
    below = host.removesuffix(parent)
    door = None if source.category is None else _DOORS.get(source.category)
    if not below or door is None or _is_door(door, below):
        return source
    return KnownSource(host, Category.EMAIL if _MAIL.fullmatch(below) else None)


def _is_door(door: re.Pattern[str], below: str) -> bool:
    """Return whether each label of *below* matches *door*.

    Labels are matched one by one, since senders choose how many there are.
    """
    labels = below.removesuffix(".").split(".")
    while _SEARCH in labels:
        labels = labels[labels.index(_SEARCH) + 1 :]
    return all(map(door.fullmatch, labels))


def host_of(tag: str) -> str:
    """Return the host in *tag*, which is a host or a whole address."""
    return _host(_without_scheme(tag))


def _without_scheme(address: str) -> str:
    return address.removeprefix("https:").removeprefix("http:").lstrip("/")


def _host(address: str) -> str:
    return address.removeprefix("www.").partition("/")[0].partition(":")[0].rstrip(".")


def _suffixes(host: str) -> Iterator[str]:
    while host:
        yield host
        host = host.partition(".")[2]
