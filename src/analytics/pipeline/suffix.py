"""The public suffix of a host (`co.uk` of `www.example.co.uk`), by the list that browsers keep."""

from __future__ import annotations

from functools import lru_cache

from publicsuffixlist import PublicSuffixList

from analytics.bounded_cache import bounded_cache


@lru_cache(maxsize=1)
def _list() -> PublicSuffixList:
    # Only the suffixes of registries: `blogspot.com` is one of the private ones, and a site too.
    return PublicSuffixList(accept_unknown=False, only_icann=True)


@bounded_cache(16_384, longest=255)
def registered(host: str) -> tuple[str, str] | None:
    """Return the registered name and its public suffix, or None if *host* has none.

    `localhost`, an address and `wiki.corp` have none, and nobody from outside comes from there.
    `example` counts as one: it is reserved for texts such as our tests.
    """
    name, dot, last = host.rpartition(".")
    if last == "example" and dot:
        return name.rpartition(".")[2], last
    domain = _list().privatesuffix(host.lower().rstrip("."))
    if domain is None:
        return None
    name, _, suffix = domain.partition(".")
    return name, suffix
