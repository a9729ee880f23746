"""A stock Debian in a folder, in which commands run as on a machine of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES: Final = Path("etc/ssl/certs/ca-certificates.crt")
# What a command needs to reach a package registry through this machine's network.
NETWORK: Final = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "http_proxy", "https_proxy")


class Chroot:
    """The root folder of a stock Debian."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, script: str, *, check: bool = True) -> str:
        """Return what the shell *script* prints, on both streams. Fails the test with it."""
        done = subprocess.run(
            self._command(script),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=_environment(),
        )
        if check and done.returncode:
            pytest.fail(f"exit code {done.returncode} of:\n{script}\n\n{done.stdout[-4000:]}")
        return done.stdout

    @contextmanager
    def running(self, script: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Run *script* while the block runs, then end all of its processes."""
        with subprocess.Popen(
            self._command(script),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment() | environment,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                # The first process of the namespace is ours; the system ends the others with it.
                os.killpg(process.pid, signal.SIGKILL)

    def _command(self, script: str) -> list[str]:
        # Mounts of a namespace of its own go with its last process.
        enter = f'mount -t proc proc "{self.root}/proc" && exec chroot "{self.root}" bash -c "$0"'
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, script]


def _environment() -> dict[str, str]:
    network = {name: os.environ[name] for name in NETWORK if name in os.environ}
    return {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **network}


def bootstrap(suite: str, root: Path) -> Chroot:
    """Install Debian's *suite* with Python, and without pip, as its installer leaves a machine."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        pytest.fail("a stock Debian needs root and debootstrap: apt-get install debootstrap")
    log = root.with_suffix(".log")
    packages = "--include=python3,ca-certificates"
    with log.open("w") as output:
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", packages, suite, root],
            stdout=output,
            stderr=output,
            check=False,
        )
    assert done.returncode == 0, log.read_text()[-4000:]
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copy("/" / CERTIFICATES, root / CERTIFICATES)
    return Chroot(root)
