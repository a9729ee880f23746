"""What comes from outside is bounded: every cache, every pattern and every endpoint is tried."""

from __future__ import annotations

import ast
import importlib
import re
import re._parser as sre
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.architecture.checkout import files

from analytics import bounds
from analytics.app import compose, open_parts
from analytics.bounded_cache import LONGEST
from analytics.gateway.gate import Gate
from analytics.settings import Settings
from analytics.settings.tree import Gateway, Ingest

SOURCES = sorted(
    path
    for path in files()
    if "src/analytics" in str(path) and path.suffix == ".py" and path.name != "__main__.py"
)

# ---- caches

OWN_KEYS = {
    ("dashboard/names.py", "cache"): "asked for nothing, or for a time zone of the closed list",
    ("dashboard/pages.py", "cache"): "asked for files of the package",
    ("dashboard/templates.py", "cache"): "asked for nothing",
    ("event.py", "lru_cache"): "asked for names of sites, which are in the catalog",
    ("ingest/agent.py", "lru_cache"): "asked for nothing",
    ("ingest/bots.py", "lru_cache"): "asked for nothing",
    ("ingest/place.py", "lru_cache"): "asked for addresses that were parsed",
    ("ingest/shields.py", "lru_cache"): "asked for rules that an owner set",
    ("store/catalog/password_rules.py", "cache"): "asked for nothing",
    ("store/lookups.py", "cache"): "asked for nothing",
    ("wildcard.py", "lru_cache"): "asked for patterns that an owner set",
    ("zones.py", "cache"): "asked for nothing, or for a time zone of the closed list",
    ("ingest/wire/access_log.py", "lru_cache"): "asked for dates, of the length that one has",
    ("job/memory.py", "lru_cache"): "asked for names of sites, which are in the catalog",
    ("job/worker.py", "cache"): "asked for settings",
    ("pipeline/suffix.py", "lru_cache"): "asked for nothing",
    ("store/localtime.py", "lru_cache"): "asked for time zones of sites, and numbers",
}
"""Caches whose keys nobody outside chooses."""
MOST_BYTES = 128 << 20
"""Of the keys of all caches of foreign text together, each character of the widest kind."""


def name(path: Path) -> str:
    return str(path).partition("/src/analytics/")[2]


def calls(path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Each function that *path* calls or decorates with, by its bare name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node
        elif isinstance(node, ast.FunctionDef):
            yield from (
                (each.id, each) for each in node.decorator_list if isinstance(each, ast.Name)
            )


def test_a_cache_that_keeps_what_it_is_asked_is_bounded_in_bytes_or_has_keys_of_our_own() -> None:
    caches = {
        (name(path), called)
        for path in SOURCES
        if path.name != "bounded_cache.py"
        for called, _ in calls(path)
        if called in ("lru_cache", "cache")
    }
    assert ("ingest/place.py", "lru_cache") in caches
    assert caches - {*OWN_KEYS} == set(), "use bounded_cache, or say whose keys it has"
    assert {*OWN_KEYS} - caches == set(), "there is no such cache any more"


def test_the_caches_of_foreign_text_have_one_bound_together() -> None:
    sizes = {}
    for path in SOURCES:
        for called, node in calls(path):
            if called == "bounded_cache" and isinstance(node, ast.Call):
                module = importlib.import_module(
                    "analytics." + name(path).removesuffix(".py").replace("/", ".")
                )
                given = [eval(ast.unparse(each), vars(module)) for each in node.args]
                named = {each.arg: ast.literal_eval(each.value) for each in node.keywords}
                sizes[name(path), node.lineno] = given[0] * named.get("longest", LONGEST) * 4
    assert len(sizes) > 10
    assert sum(sizes.values()) <= MOST_BYTES, sizes


# ---- patterns

LONG = 64 * 1024
CUT = {
    "ingest/bots.py:_OF_A_DEVICE": bounds.AGENT_CHARS,
    "ingest/bots.py:_APPENDED": bounds.AGENT_CHARS,
}
"""Patterns that only meet text which was cut before, and at what length."""
OPERATORS = {"settings/given.py:_AT"}
"""Patterns that only meet what the operator's own files hold."""
TWICE = 8
"""How often the time for four times the text may be that of the text: 4 is linear, 16 is not."""
NOTICEABLE_S = 0.05


WAYS = ("search", "match", "fullmatch", "split", "sub", "findall", "finditer")
"""In which a pattern is used."""


def patterns() -> Iterator[tuple[str, re.Pattern[Any], tuple[str, ...]]]:
    """Every pattern that the program compiles, or hands to `re` as a text, and how it is used."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        module = "analytics." + name(path).removesuffix(".py").replace("/", ".")
        used = [
            (node.value.id, node.attr)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        ]
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")):
                continue
            way = ast.unparse(node.func).removeprefix("re.")
            if way == "compile":
                continue
            if way in WAYS:
                try:
                    known = vars(importlib.import_module(module.removesuffix(".__init__")))
                    pattern = eval(ast.unparse(node.args[0]), {**known})
                except NameError:
                    continue  # made of what the function was given
                yield f"{name(path)}:{node.lineno}", re.compile(pattern), (way,)
        known = vars(importlib.import_module(module.removesuffix(".__init__")))
        for called, pattern in known.items():
            if isinstance(pattern, re.Pattern) and known.get("__name__") == module:
                ways = tuple(way for way in WAYS if (called, way) in used)
                if ways:
                    yield f"{name(path)}:{called}", pattern, ways


PATTERNS = [*patterns()]


def characters(parsed: Any) -> Iterator[str]:
    """Those that stand in a pattern, and one of each range and kind."""
    for operator, value in parsed:
        match str(operator), value:
            case "LITERAL" | "NOT_LITERAL", int():
                yield chr(value)
            case "RANGE", (low, _):
                yield chr(low)
            case "IN", inner:
                yield from characters(inner)
            case "CATEGORY", kind:
                yield {"DIGIT": "0", "SPACE": " ", "WORD": "a"}.get(str(kind).split("_")[-1], ".")
            case "BRANCH", (_, branches):
                for branch in branches:
                    yield from characters(branch)
            case "SUBPATTERN", (*_, inner):
                yield from characters(inner)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (_, _, inner):
                yield from characters(inner)
            case "ASSERT" | "ASSERT_NOT", (_, inner):
                yield from characters(inner)
            case "ATOMIC_GROUP", inner:
                yield from characters(inner)


def took(pattern: re.Pattern[Any], ways: tuple[str, ...], text: Any) -> float:
    """The processor's time for all ways in which a pattern is used, the less of two."""
    best = float("inf")
    for _ in range(2):
        began = time.thread_time()
        for way in ways:
            if way == "sub":
                pattern.sub(text[:0], text)
            else:
                found = getattr(pattern, way)(text)
                if way == "finditer":
                    any(False for _ in found)
        best = min(best, time.thread_time() - began)
    return best


def slow(pattern: re.Pattern[Any], ways: tuple[str, ...], long: int = LONG) -> list[str]:
    """The texts for which *pattern* takes more than in proportion to their length."""
    said = pattern.pattern
    found = [*dict.fromkeys(characters(sre.parse(said, pattern.flags)))][:12]
    units = {*found, "a", " ", *(a + b for a, b in pairwise(found))}
    quadratic = []
    for unit in sorted(units):
        text: Any = (unit * long)[:long] + "\0"
        if isinstance(said, bytes):
            text = text.encode("utf-8", "replace")
        before = took(pattern, ways, text[: long // 64])
        for size in (long // 16, long // 4, long):
            now = took(pattern, ways, text[:size])
            if now > NOTICEABLE_S and now > TWICE * before:
                quadratic.append(repr(unit))
                break
            before = now
    return quadratic


def test_the_patterns_are_found_and_a_slow_one_is_known() -> None:
    assert len(PATTERNS) > 40
    assert [where for where, *_ in PATTERNS if where.startswith("dashboard/stats_v1.py")]
    assert "':'" in slow(re.compile("(:+)="), ("search",))


@pytest.mark.parametrize(
    ("where", "pattern", "ways"), PATTERNS, ids=[where for where, *_ in PATTERNS]
)
def test_no_pattern_takes_more_than_in_proportion_to_the_text(
    where: str, pattern: re.Pattern[Any], ways: tuple[str, ...]
) -> None:
    if where not in OPERATORS:
        assert slow(pattern, ways, CUT.get(where, LONG)) == []


# ---- endpoints

NOT_LIMITED = {("GET", "/health/live")}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """The whole application, in which whoever asks twice has asked too often."""
    rates = {"rate_per_s": 1e-6, "rate_burst": 1}
    settings = Settings(
        data=tmp_path / "data",
        ingest=Ingest(**rates, trusted_proxies=()),
        gateway=Gateway(**rates),
    )
    async with open_parts(settings) as parts:
        yield compose(parts, setup_token=None).gate


def endpoints(gate: Gate) -> list[tuple[str, str]]:
    """Every method of every route."""
    return [
        (method, line.path.replace("{domain}", "a.example").replace("{tab}", "source"))
        for line in gate.table()
        for method in line.methods.split(", ")
    ]


async def test_no_endpoint_answers_without_limit(gate: Gate) -> None:
    addresses = count(1)
    unlimited = set()
    for method, path in endpoints(gate):
        # From an address of its own, which is not this machine's.
        peer = (f"203.0.113.{next(addresses)}", 1)
        transport = httpx2.ASGITransport(gate, raise_app_exceptions=False, client=peer)
        async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
            statuses = [(await client.request(method, path)).status_code for _ in range(2)]
        if statuses[1] != 429:
            unlimited.add((method, path))
    assert unlimited == NOT_LIMITED


async def test_no_endpoint_reads_a_body_without_end(gate: Gate) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1 << 16
            yield b" " * (1 << 16)

    posts = [(method, path) for method, path in endpoints(gate) if method != "GET"]
    assert len(posts) > 5
    transport = httpx2.ASGITransport(gate, raise_app_exceptions=False, client=("127.0.0.1", 1))
    headers = {"origin": "http://a.example"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
        for method, path in posts:
            told = {**headers, "content-length": str(100 << 20)}
            answer = await client.request(method, path, content=endless(), headers=told)
            assert 300 <= answer.status_code < 500, (path, answer.text)
            answer = await client.request(method, path, content=endless(), headers=headers)
            assert 300 <= answer.status_code < 500, (path, answer.text)
            assert read <= 6 << 20, (path, read)
            read = 0
