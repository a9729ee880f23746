"""The address ranges of known machines, from files that their operators publish.

A machine from an address that its operator's file does not list is an impostor, or the file is
outdated: it is unverified. Without a file, nothing is claimed about a machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final

import msgspec

from analytics import decoding, machines
from analytics.errors import UNDECODABLE, Misconfigured
from analytics.ingest.addresses import ip_object

_MEMBERS: Final = ("ipv4Prefix", "ipv6Prefix", "ip_prefix", "ipv6_prefix")
_LARGEST: Final = 10_000_000
_STANDS_FOR_A_NAME: Final = ip_network("100::/64")
"""Addresses in place of the host names of an imported log, of which nothing is known."""


class _File(msgspec.Struct):
    """What Google, OpenAI, Microsoft, Apple, Perplexity and others publish."""

    prefixes: list[dict[str, Any]]


class _Networks:
    """A set of networks; looking an address up takes one step for each length of prefix."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        by_length: dict[tuple[int, int], set[int]] = defaultdict(set)
        for network in networks:
            host_bits = network.max_prefixlen - network.prefixlen
            by_length[network.version, host_bits].add(int(network.network_address) >> host_bits)
        self._by_length = {length: frozenset(prefixes) for length, prefixes in by_length.items()}

    def __contains__(self, address: str) -> bool:
        parsed = ip_object(address)
        return parsed is not None and any(
            version == parsed.version and int(parsed) >> host_bits in prefixes
            for (version, host_bits), prefixes in self._by_length.items()
        )


class MachineRanges:
    """The networks of each machine that a file of *folder* is about."""

    def __init__(self, folder: Path | None = None) -> None:
        listed: dict[str, list[IPv4Network | IPv6Network]] = defaultdict(list)
        for path in _files(folder):
            names = machines.whose_ranges(path.name)
            if not names:
                raise _unusable(
                    path,
                    "its name is not that of a machine or an operator; call it gptbot.json,"
                    " google.json and the like (docs/reference-data.md lists them)",
                )
            networks = _read(path)
            for name in names:
                listed[name] += networks
        self._networks = {name: _Networks(networks) for name, networks in listed.items()}

    @property
    def machines(self) -> frozenset[str]:
        """Return the names of the machines whose addresses are known."""
        return frozenset(self._networks)

    def is_unverified(self, machine: str, address: str) -> bool:
        """Return whether *machine* has published its addresses, and *address* is none of them."""
        if machine not in self._networks or address in self._networks[machine]:
            return False
        parsed = ip_object(address)
        return parsed is not None and parsed not in _STANDS_FOR_A_NAME


def _files(folder: Path | None) -> Iterable[Path]:
    if folder is None:
        return ()
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as exc:
        raise _unusable(
            folder, f"it cannot be read: {exc}; name a folder with files of address ranges"
        ) from exc


def _read(path: Path) -> list[IPv4Network | IPv6Network]:
    try:
        if path.stat().st_size > _LARGEST:
            raise _unusable(path, f"it is larger than {_LARGEST:,} bytes")
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        texts = [each[name] for each in file.prefixes for name in _MEMBERS if name in each]
        networks = [ip_network(text, strict=False) for text in texts]
    except OSError as exc:
        raise _unusable(path, f"it cannot be read: {exc}") from exc
    except UNDECODABLE as exc:
        reason = decoding.malformed(exc, "it").reason
        raise _unusable(path, f"{reason}; get it from its publisher again") from exc
    except (ValueError, TypeError) as exc:
        raise _unusable(path, f"{exc}; get it from its publisher again") from exc
    if not networks:
        raise _unusable(path, "it lists no address range; get it from its publisher again")
    return networks


def _unusable(path: Path, reason: str) -> Misconfigured:
    return Misconfigured(f"ingest.machine_ranges: {path}: {reason}")
