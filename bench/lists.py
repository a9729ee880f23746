"""How often lists take people for machines, and machines for people.

    (beside this package: device-detector==6.5.1, crawlerdetect==0.4.2)
    npm pack isbot@5.2.3 && tar xzf isbot-5.2.3.tgz
    python bench/lists.py [--isbot package/index.mjs] [--people agents.txt]

Reads the labelled user agents in tests/ingest/corpus; a third of those from packages is held out,
and no rule of ours was written with an eye on it. Each other list is judged partly on its own
fixtures, since some of them are in the corpus. A candidate that is not installed is left out.
The table goes to bench/results/lists.json, and to the page on reference data.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "ingest" / "corpus"
RESULT = Path(__file__).parent / "results" / "lists.json"
BEFORE = "5a55cf2"
SETS = ("people", "people-held-out", "machines", "machines-held-out")
Judge = Callable[[str], bool]


def agents(name: str) -> list[str]:
    with (CORPUS / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["user agent"] for row in rows]


def ours() -> Judge:
    from analytics.ingest import user_agents

    return lambda text: user_agents.parse.__wrapped__(text).bot is not None


def ours_before() -> Judge:
    """The rules at `BEFORE`, read from git."""
    source = subprocess.run(
        ["git", "show", f"{BEFORE}:src/analytics/ingest/bots.py"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    module = types.ModuleType("bots_before")
    exec(compile(source, "bots_before", "exec"), module.__dict__)
    spider = uap_spider()
    return lambda text: module.why(text, spider=spider(text)) is not None


def uap_spider() -> Judge:
    from ua_parser import Parser
    from ua_parser.loaders import load_lazy_builtins
    from ua_parser.regex import Resolver

    parser = Parser(Resolver(load_lazy_builtins()))

    def judge(text: str) -> bool:
        device = parser.parse(text).device
        return device is not None and device.family == "Spider"

    return judge


def crawler_user_agents() -> Judge:
    return importlib.import_module("crawleruseragents").is_crawler


def device_detector() -> Judge:
    detector = importlib.import_module("device_detector").DeviceDetector
    return lambda text: detector(text).parse().is_bot()


def crawlerdetect() -> Judge:
    detector = importlib.import_module("crawlerdetect").CrawlerDetect()
    return lambda text: bool(detector.isCrawler(text))


def isbot(module: Path) -> Judge:
    texts = [text for name in SETS for text in agents(name)]
    program = (
        f"import {{ isbot }} from {json.dumps(str(module.resolve()))};"
        "let s='';for await (const c of process.stdin) s+=c;"
        "console.log(JSON.stringify(JSON.parse(s).map(t => isbot(t))))"
    )
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", program],
        input=json.dumps(texts), check=True, capture_output=True, text=True,
    )  # fmt: skip
    return dict(zip(texts, json.loads(ran.stdout), strict=True)).__getitem__


def candidates(isbot_module: Path | None) -> Iterator[tuple[str, Callable[[], Judge]]]:
    yield "ours", ours
    yield f"ours at {BEFORE}", ours_before
    yield "crawler-user-agents", crawler_user_agents
    yield "uap-core, Spider", uap_spider
    yield "device-detector", device_detector
    yield "crawlerdetect", crawlerdetect
    if isbot_module is not None:
        yield "isbot", lambda: isbot(isbot_module)


def measured(judge: Judge) -> dict[str, float]:
    row: dict[str, float] = {}
    for name in SETS:
        texts = agents(name)
        people = name.startswith("people")
        row[name] = sum(judge(text) is people for text in texts)
        row[f"{name} %"] = round(100 * row[name] / len(texts), 1)
    return row


def uncached_us(judge: Judge) -> float:
    texts = agents("people")
    return round(statistics.median(timed(judge, texts) for _ in range(3)) / len(texts) * 1e6, 1)


def timed(judge: Judge, texts: list[str]) -> float:
    begun = time.perf_counter()
    for text in texts:
        judge(text)
    return time.perf_counter() - begun


def cached_ns() -> float:
    """Nanoseconds for an agent that was met before, as nearly every one was."""
    from analytics.ingest import user_agents

    texts = agents("people")[:500]
    for text in texts:
        user_agents.parse(text)
    return round(min(timed(user_agents.parse, texts) for _ in range(20)) / len(texts) * 1e9)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--isbot", type=Path, help="isbot's index.mjs")
    options.add_argument("--people", type=Path, help="more agents of people, one a line")
    given = options.parse_args()
    sizes = {name: len(agents(name)) for name in SETS}
    table: dict[str, dict[str, float]] = {}
    for name, make in candidates(given.isbot):
        try:
            judge = make()
        except (ImportError, subprocess.CalledProcessError) as exc:
            print(f"{name}: left out ({exc})", file=sys.stderr)
            continue
        table[name] = measured(judge)
        if name.startswith("ours"):
            table[name]["us an agent"] = uncached_us(judge)
        print(name, table[name])
    result = {"agents": sizes, "wrong": table, "ours, cached, ns": cached_ns()}
    if given.people is not None:
        texts = {line.strip() for line in given.people.read_text("utf-8").splitlines()} - {""}
        taken = {judge.__name__: sum(map(judge(), texts)) for judge in (ours, ours_before)}
        result["more people"] = {"agents": len(texts), **taken}
        print(result["more people"])
    RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"| list | {' | '.join(f'{name} ({size})' for name, size in sizes.items())} |")
    print("|---|" + "---|" * len(SETS))
    for name, row in table.items():
        cells = (f"{row[each]:.0f} ({row[f'{each} %']} %)" for each in SETS)
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
