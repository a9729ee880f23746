"""The jars of a server: resolved by Maven once, then kept."""

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
"""Tells a person what happens."""

JAVA: Final = 17
"""All four servers run on this version; Cassandra and Ignite on no newer one."""
_POMS: Final = Path(__file__).parent / "poms"
_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')
_FETCHED: Final = re.compile(r"Downloaded from \S+ \S*/([^/\s]+\.jar) ")
_TELL_EVERY: Final = 20


def java(command: str) -> Path:
    """The Java to start servers with. Raises `Misconfigured` when it is none of version 17."""
    path = shutil.which(command)
    if path is None:
        raise Misconfigured(
            f"a cluster on this machine needs Java {JAVA}, and there is no command {command!r}. "
            f"Install it (Debian: apt-get install openjdk-{JAVA}-jre-headless), or name it with "
            "the setting cluster.java"
        )
    said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    match = _VERSION.search(said.stderr + said.stdout)
    if match is None or int(match[1]) != JAVA:
        found = f"version {match[1]}" if match else "no Java"
        raise Misconfigured(
            f"a cluster on this machine needs Java {JAVA}, and {path} is {found}; name another "
            "with the setting cluster.java"
        )
    return Path(path).resolve()


def located(command: str) -> Path:
    """The Java called *command*, whatever it is."""
    return Path(shutil.which(command) or command).resolve()


class Jars:
    """The folder in which the jars of every server are kept."""

    def __init__(self, settings: ClusterSettings, say: Say, *, poms: Path = _POMS) -> None:
        self._poms = poms
        self._folder = settings.jars or Path.home() / ".cache" / "analytics" / "jars"
        self._maven = settings.maven
        self._say = say

    def of(self, server: str) -> Path:
        """The folder of *server*'s jars, resolved if that was not done before.

        Raises `Misconfigured` without Maven, `Unavailable` when it can't fetch them.
        """
        kept = self.folder_of(server)
        if not kept.is_dir():
            self._resolve(server, self._poms / f"{server}.xml", kept)
        return kept

    def folder_of(self, server: str) -> Path:
        """Where *server*'s jars are, if they are: each pom has a folder of its own."""
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
                if not kept.is_dir():  # else somebody else fetched them meanwhile
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
                    if fetched % _TELL_EVERY == 0:
                        self._say(f"{server}: {fetched} jars fetched, of late {match[1]}")
        if maven.returncode:
            faults = [line.strip() for line in lines if line.startswith("[ERROR]")]
            raise Unavailable(
                f"Maven can't fetch {server}'s jars: {' '.join(faults[:3]) or 'it did not say why'}"
            )


_GOAL: Final = (
    "dependency:copy-dependencies",
    "-DincludeScope=runtime",
    "-DoutputDirectory=jars",
)
