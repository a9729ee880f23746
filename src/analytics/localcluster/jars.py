"""Fetches the jars of a server by Maven, once, and keeps them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

from analytics.errors import Misconfigured, Unavailable
from analytics.settings import ClusterSettings

Say = Callable[[str], None]
"""Prints a line of progress."""

JAVA: Final = 17
"""All four servers run on this version; Cassandra and Ignite on no newer one."""
_POMS: Final = Path(__file__).parent / "poms"
_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')
_FETCHED: Final = re.compile(r"Downloaded from \S+ \S*/([^/\s]+\.jar) ")
_REPORT_EVERY: Final = 20


def java(command: str) -> Path:
    """Return the path of Java called *command*. Raise `Misconfigured` if it is not version 17."""
    path = shutil.which(command)
    if path is None:
        raise Misconfigured(
            f"a cluster on this machine needs Java {JAVA}, and there is no command {command!r}. "
            f"Install it (Debian: apt-get install openjdk-{JAVA}-jre-headless), or name it with "
            "the setting cluster.java"
        )
    reply = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    match = _VERSION.search(reply.stderr + reply.stdout)
    if match is None or int(match[1]) != JAVA:
        version = f"version {match[1]}" if match else "not Java"
        raise Misconfigured(
            f"a cluster on this machine needs Java {JAVA}, and {path} is {version}; name another "
            "with the setting cluster.java"
        )
    return Path(path).resolve()


def located(command: str) -> Path:
    """Return the path of Java called *command*, of any version."""
    return Path(shutil.which(command) or command).resolve()


class Jars:
    """The folder in which the jars of all servers are kept."""

    def __init__(self, settings: ClusterSettings, say: Say, *, poms: Path = _POMS) -> None:
        self._poms = poms
        self._folder = settings.jars or Path.home() / ".cache" / "analytics" / "jars"
        self._maven = settings.maven
        self._say = say

    def of(self, server: str) -> Path:
        """Return the folder of *server*'s jars, and fetch them if they are missing.

        Raise `Misconfigured` without Maven, `Unavailable` if it cannot fetch them.
        """
        kept = self.folder_of(server)
        if not kept.is_dir():
            self._resolve(server, self._poms / f"{server}.xml", kept)
        return kept

    def folder_of(self, server: str) -> Path:
        """Return the folder for *server*'s jars, which may not exist; each pom has its own."""
        pom = (self._poms / f"{server}.xml").read_bytes()
        return self._folder / f"{server}-{blake2b(pom, digest_size=6).hexdigest()}"

    def _resolve(self, server: str, pom: Path, kept: Path) -> None:
        maven = shutil.which(self._maven)
        if maven is None:
            raise Misconfigured(
                f"{server}'s jars are not on this machine yet, and to fetch them needs Maven: "
                f"there is no command {self._maven!r}. Install it (Debian: apt-get install "
                "maven), or name it with the setting cluster.maven"
            )
        self._say(f"{server}: fetching its jars, once")
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=f"{server}-") as work:
            shutil.copy(pom, Path(work) / "pom.xml")
            self._run_maven(server, [maven, "-B", *_GOAL], Path(work))
            # Renamed as a whole, so that nobody ever takes a part for all.
            try:
                (Path(work) / "jars").rename(kept)
            except OSError:
                if not kept.is_dir():  # else another process has fetched them
                    raise
        self._say(f"{server}: {len(list(kept.glob('*.jar')))} jars in {kept}")

    def _run_maven(self, server: str, command: list[str], work: Path) -> None:
        lines: list[str] = []
        fetched = 0
        with subprocess.Popen(  # noqa: S603 - our own pom
            command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as maven:
            assert maven.stdout is not None  # noqa: S101 - it is a pipe
            for line in maven.stdout:
                lines.append(line)
                if match := _FETCHED.search(line):
                    fetched += 1
                    if fetched % _REPORT_EVERY == 0:
                        self._say(f"{server}: {fetched} jars fetched, most recently {match[1]}")
        if maven.returncode:
            faults = [line.strip() for line in lines if line.startswith("[ERROR]")]
            raise Unavailable(
                f"Maven cannot fetch {server}'s jars: {' '.join(faults[:3]) or 'it gave no reason'}"
            )


_GOAL: Final = (
    "dependency:copy-dependencies",
    "-DincludeScope=runtime",
    "-DoutputDirectory=jars",
)
