"""Draws tests/ingest/corpus from user agents that packages publish under permissive licences.

    npm pack crawler-user-agents@1.60.0 user-agents@2.1.198 woothee@1.11.1
    pip download --no-deps --no-binary :all: crawlerdetect==0.4.2 fake-useragent==2.2.0
    mvn dependency:get -Dartifact=nl.basjes.parse.useragent:yauaa:8.1.1 -Dtransitive=false
    (unpack each into FOLDER/<name>)
    python tools/corpus.py FOLDER tests/ingest/corpus

Every package has far more phones of one maker than text browsers, so one agent is drawn from each
stratum: a browser on a maker's device for people, the first word that is no browser's for machines.
The draw goes by a hash of the text, and so does the split: a third is held out, and no rule was
written with an eye on it. `EXCLUDED` lists what a package labels wrong, with the reason. Rows of
the licence "facts" were written by hand from vendors' documentation; they are kept as they are.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from ua_parser import parse

COLUMNS = ("kind", "user agent", "source", "licence")
FACTS = "facts"
"""The licence of what was written by hand."""
HELD_OUT = 3
"""One agent in so many is held out."""


Stratum = Callable[[str], tuple[str, str]]
"""An agent to the kind it is listed under, and the group that one is drawn from."""


class Line(NamedTuple):
    kind: str
    agent: str
    source: str
    licence: str


class Package(NamedTuple):
    """Agents of one label in one package, and how many of them to draw."""

    source: str
    licence: str
    most: int
    agents: Iterable[str]


EXCLUDED: dict[str, str] = {
    "Mozilla/5.0 (compatible; GoogleDocs;": "Google's servers, and no device of a person's",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_2) AppleWebKit/537.36 (KHTML, like Gecko) Cy": (
        "Cypress, which runs tests"
    ),
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Win64; x64; Trident/7.0; .NET CLR 2": (
        "Outlook, which shows mail to a person"
    ),
    "'Mozilla/4.0": "no browser sends it",
    "Mozilla/5.0 (en-us;)": "a test of somebody's, no browser",
    "Mozilla/2.0 (compatible; MS FrontPage": "an editor, no browser",
    "Mozilla/3.0 (compatible; Indy Library)": "a library",
    "Safari/9.1.3": "no browser sends it",
    "IDSC/": "a program in Java, and what for is unknown",
    "OC/15": "a program for talks, no browser",
    "WordPress/": "it fetches for a site",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview": "Skype's fetcher of previews",
    "Mozilla/5.0 (compatible; livedoor-Mobile-Gateway": "it fetches for phones",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_6_8) AppleWebKit/534.50 (KHTML, like Gecko) Ver": (
        "Instapaper's fetcher"
    ),
}
"""The beginning of an agent whose label is wrong: why."""

_MACHINES = {"Robot", "Robot Mobile", "Robot Imitator", "Hacker"}
_PEOPLE = {
    "Desktop", "Phone", "Tablet", "TV", "Set-top box", "Game Console", "Handheld Game Console",
    "eReader", "Car", "Watch", "Virtual Reality", "Home Appliance", "Smart Display", "Mobile",
}  # fmt: skip
_WOOTHEE = {"crawler", "pc", "smartphone", "mobilephone", "appliance"}
"""The categories that are labels; its `misc` has libraries and browsers alike."""
_YAUAA_LEFT_OUT = re.compile(r"Openspc2|BitWalker|Broken|Hackers|Anonymi|ClientHints|GoogleFavicon")


def main(folder: Path, target: Path) -> None:
    for label, packages, stratum in (
        ("people", people(folder), persons_stratum),
        ("machines", machines(folder), machines_stratum),
    ):
        lines = [*by_hand(target, label)]
        seen = {shape(line.agent) for line in lines}
        for package in packages:
            lines += drawn(package, stratum, seen)
        for held_out in (False, True):
            name = f"{label}-held-out.tsv" if held_out else f"{label}.tsv"
            write(target / name, (line for line in lines if is_held_out(line) is held_out))


def people(folder: Path) -> Iterator[Package]:
    npm = json.loads(next(folder.glob("user-agents*/package/dist/user-agents.json")).read_text())
    yield Package("user-agents 2.1.198 (npm)", "BSD-2-Clause", 90, (a["userAgent"] for a in npm))
    lines = next(folder.glob("fake_useragent*/src/**/browsers.jsonl")).read_text().splitlines()
    fakes = (json.loads(line)["useragent"] for line in lines)
    yield Package("fake-useragent 2.2.0 (PyPI)", "Apache-2.0", 120, fakes)
    classes = yauaa(folder, _PEOPLE)
    yield Package("yauaa 8.1.1 (Maven)", "Apache-2.0", 260, classes)
    yield Package("woothee 1.11.1 (npm)", "Apache-2.0", 60, woothee(folder, crawler=False))
    devices = crawlerdetect(folder, "devices")
    yield Package("crawlerdetect 0.4.2 (PyPI)", "MIT", 420, devices)


def machines(folder: Path) -> Iterator[Package]:
    npm = next(folder.glob("crawler-user-agents*/package/crawler-user-agents.json"))
    instances = (a for entry in json.loads(npm.read_text()) for a in entry["instances"])
    yield Package("crawler-user-agents 1.60.0 (npm)", "MIT", 220, instances)
    robots = yauaa(folder, _MACHINES)
    yield Package("yauaa 8.1.1 (Maven)", "Apache-2.0", 180, robots)
    yield Package("woothee 1.11.1 (npm)", "Apache-2.0", 40, woothee(folder, crawler=True))
    crawlers = crawlerdetect(folder, "crawlers")
    yield Package("crawlerdetect 0.4.2 (PyPI)", "MIT", 260, crawlers)


def yauaa(folder: Path, classes: set[str]) -> Iterator[str]:
    for path in sorted(folder.glob("yauaa*/UserAgents/*.yaml")):
        if _YAUAA_LEFT_OUT.search(path.name):
            continue
        content = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        for item in content.get("config") or ():
            test = item.get("test") or {}
            if (test.get("expected") or {}).get("DeviceClass") in classes:
                yield str((test.get("input") or {}).get("user_agent_string") or "")


def woothee(folder: Path, *, crawler: bool) -> Iterator[str]:
    for path in sorted(folder.glob("woothee*/package/woothee/testsets/*.yaml")):
        for case in yaml.safe_load(path.read_text("utf-8")):
            if (case.get("category") == "crawler") is crawler and case.get("category") in _WOOTHEE:
                yield case["target"]


def crawlerdetect(folder: Path, name: str) -> Iterator[str]:
    fixtures = next(folder.glob("crawlerdetect*/tests/fixtures/user_agent"))
    yield from (fixtures / f"{name}.txt").read_text("utf-8", "replace").splitlines()


def drawn(package: Package, stratum: Stratum, seen: set[str]) -> Iterator[Line]:
    taken: set[str] = set()
    for agent in sorted({a.strip() for a in package.agents}, key=digest):
        if len(taken) == package.most:
            return
        if not sensible(agent) or any(agent.startswith(start) for start in EXCLUDED):
            continue
        kind, group = stratum(agent)
        if group in taken or shape(agent) in seen:
            continue
        taken.add(group)
        seen.add(shape(agent))
        yield Line(kind, agent, package.source, package.licence)


def sensible(agent: str) -> bool:
    """Whether *agent* is one line of plain text that names nobody by a mail address."""
    return 4 < len(agent) < 400 and agent.isascii() and agent.isprintable() and "@" not in agent


def persons_stratum(agent: str) -> tuple[str, str]:
    parsed = parse(agent)
    browser = parsed.user_agent.family if parsed.user_agent else "-"
    system = parsed.os.family if parsed.os else "-"
    brand = (parsed.device.brand or parsed.device.family) if parsed.device else "-"
    return f"{browser} on {system}".lower(), f"{browser}/{system}/{brand}".lower()


def machines_stratum(agent: str) -> tuple[str, str]:
    word = _FIRST_WORD.search(_BROWSERS.sub(" ", agent))
    name = word[0].lower().strip("-_.") if word else shape(agent)
    return name[:40], name


_FIRST_WORD = re.compile(r"[A-Za-z][\w.-]{2,}")
_BROWSERS = re.compile(
    r"Mozilla|compatible|AppleWebKit|KHTML|like|Gecko|Chrome|Safari|Firefox|Version|Mobile|Linux"
    r"|Android|Windows|Macintosh|Intel|Mac|OS|X11|iPhone|CPU|MSIE|Trident|NT|Build|x86_64|Win64"
    r"|\bx64|\brv|Nexus|Ubuntu|WOW64|Edge?|Opera|Presto|\bhttps?://\S+|\bwww\.\S+"
)


def shape(agent: str) -> str:
    """*agent* without its versions: two of one shape are one case."""
    return re.sub(r"[\d._]+", "0", agent).lower()


def digest(agent: str) -> bytes:
    return hashlib.sha256(agent.encode()).digest()


def is_held_out(line: Line) -> bool:
    return line.licence != FACTS and digest(line.agent)[-1] % HELD_OUT == 0


def by_hand(target: Path, label: str) -> Iterator[Line]:
    path = target / f"{label}.tsv"
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["licence"] == FACTS:
                    yield Line(*(row[column] for column in COLUMNS))


def write(path: Path, lines: Iterable[Line]) -> None:
    ordered = sorted(lines, key=lambda line: (line.source, line.kind, line.agent))
    rows = ["\t".join(COLUMNS), *("\t".join(line) for line in ordered)]
    path.write_text("\n".join(rows) + "\n", "utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
