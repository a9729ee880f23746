"""A network of namespaces: a client, two balancers, servers, on one switch."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

_ROLES: Final = ("switch", "client", "lb1", "lb2", "servers")
_NAME: Final = re.compile(r"^front-(\d+)-\w+$")
ADDRESS: Final = "10.213.0.100"
"""The virtual one."""
BALANCERS: Final = {"lb1": "10.213.0.1", "lb2": "10.213.0.2"}
SERVERS: Final = "10.213.0.20"
CLIENTS: Final = tuple(f"10.213.0.{number}" for number in range(30, 70))


class Topology:
    """Namespaces of this process, made on entry, removed with all that runs in them on exit."""

    def __enter__(self) -> Self:
        _remove_of_the_dead()
        try:
            self._make()
        except BaseException:
            _remove(os.getpid())
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _remove(os.getpid())

    def name(self, role: str) -> str:
        """The namespace of *role*: client, lb1, lb2, servers."""
        return f"front-{os.getpid()}-{role}"

    def inside(self, role: str, *command: object) -> list[str]:
        """*command*, to be run in the namespace of *role*."""
        return ["ip", "netns", "exec", self.name(role), *map(str, command)]

    def holds(self, role: str) -> bool:
        """Whether the virtual address is on *role* now."""
        return ADDRESS in _ip("-n", self.name(role), "-br", "address", "show", "dev", "eth0")

    def _make(self) -> None:
        for role in _ROLES:
            _ip("netns", "add", self.name(role))
            _ip("-n", self.name(role), "link", "set", "lo", "up")
        switch = self.name("switch")
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "br0", "up")
        addresses = {
            "client": CLIENTS,
            "servers": (SERVERS,),
            **{role: (address,) for role, address in BALANCERS.items()},
        }
        for role, own in addresses.items():
            name = self.name(role)
            pair = ("type", "veth", "peer", "name", role, "netns", switch)
            _ip("-n", name, "link", "add", "eth0", *pair)
            for address in own:
                _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", switch, "link", "set", role, "master", "br0", "up")
            _ip("-n", name, "link", "set", "eth0", "up")


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def _namespaces() -> Sequence[re.Match[str]]:
    names = (line.split()[0] for line in _ip("netns", "list").splitlines() if line)
    return [found for name in names if (found := _NAME.match(name))]


def _remove_of_the_dead() -> None:
    """What runs left behind that were killed themselves."""
    for found in _namespaces():
        if not Path("/proc", found[1]).exists():
            _remove(int(found[1]))


def _remove(owner: int) -> None:
    """End whatever runs in the namespaces of *owner*, and remove them."""
    names = [found[0] for found in _namespaces() if int(found[1]) == owner]
    for name in names:
        while pids := [int(pid) for pid in _ip("netns", "pids", name).split()]:
            for pid in filter(_lives, pids):
                _kill(pid)
            if not any(map(_lives, pids)):
                break
            time.sleep(0.02)
    for name in names:
        _ip("netns", "delete", name)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
