"""Known spam referrers: the built-in list, and a file of the operator's."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from analytics.bounded_cache import bounded_cache
from analytics.errors import Misconfigured


class SpamReferrers:
    """A set of hosts; each includes its subdomains."""

    def __init__(self, further: Path | None = None) -> None:
        built_in = files("analytics.ingest").joinpath("data", "spam_referrers.txt")
        hosts = _hosts(built_in.read_text("utf-8").splitlines())
        if further is not None:
            try:
                hosts |= _hosts(further.read_text("utf-8").splitlines())
            except (OSError, UnicodeDecodeError) as exc:
                raise Misconfigured(
                    f"ingest.spam_referrers: {further} cannot be read: {exc}; name a file with one"
                    " hostname a line, or leave it empty for the built-in list"
                ) from exc
        self._hosts = hosts
        self.has = bounded_cache(4096)(self._has)
        """Return whether a host, in lower case, or a parent domain of it is in the set."""

    @property
    def known(self) -> int:
        """Return the number of hosts."""
        return len(self._hosts)

    def _has(self, host: str) -> bool:
        while host:
            if host in self._hosts:
                return True
            host = host.partition(".")[2]
        return False


def _hosts(lines: Iterable[str]) -> frozenset[str]:
    words = (line.partition("#")[0].strip().lower().removeprefix("www.") for line in lines)
    # A name without a dot would stand for a whole top-level domain.
    return frozenset(word for word in words if "." in word)
