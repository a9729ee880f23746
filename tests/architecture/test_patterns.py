"""No regular expression takes more than in proportion to the text that it meets.

Each is tried on texts made from itself: what it repeats, again and again, after what has to stand
in front of that, and before what spoils the match.
"""

from __future__ import annotations

import ast
import importlib
import re
import re._parser as sre
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from tests.architecture.test_bounds import SOURCES, name

from analytics import bounds
from analytics.ingest import bots

LONG = 64 * 1024
CUT = {
    "ingest/bots.py:_OF_A_DEVICE": bounds.AGENT_CHARS,
    "ingest/bots.py:_APPENDED": bounds.AGENT_CHARS,
    "ingest/bots.py:_listed": bounds.AGENT_CHARS,
    "ingest/machine_names.py:_ITSELF": bounds.AGENT_CHARS,
    "ingest/machine_names.py:_COMPATIBLE": bounds.AGENT_CHARS,
    "ingest/machine_names.py:_FIRST": bounds.AGENT_CHARS,
    "machines.py:_SAID": bounds.AGENT_CHARS,
}
"""Patterns that only meet text which was cut before, and at what length."""
OPERATORS = {"settings/sources.py:_AT"}
"""Patterns that only meet what the operator's own files hold."""
MADE_IN = {"ingest/bots.py:_listed": bots._listed}
"""Functions that compile patterns, with what returns these."""
NOT_SERVED = ("cluster", "testing")
WAYS = ("search", "match", "fullmatch", "split", "sub", "findall", "finditer")
"""In which a pattern is used."""
TWICE = 8
"""How often the time for four times the text may be that of the text: 4 is linear, 16 is not."""
NOTICEABLE_S = 0.05
SHORT = 64
"""So few repetitions are never noticed, unless each doubles the time."""


class Used(NamedTuple):
    """A pattern, where it is, and in which ways it is used."""

    where: str
    pattern: re.Pattern[Any]
    ways: tuple[str, ...]


def compiled(value: object, depth: int = 4) -> Iterator[re.Pattern[Any]]:
    """The patterns that *value* is or holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        yield from (each for inner in value.values() for each in compiled(inner, depth - 1))
    elif depth and isinstance(value, tuple | list | set | frozenset):
        yield from (each for inner in value for each in compiled(inner, depth - 1))
    elif depth and isinstance(value, type) and value.__module__.startswith("analytics."):
        yield from compiled(dict(vars(value)), depth - 1)


def called(tree: ast.Module) -> Iterator[tuple[ast.Call, str, str]]:
    """Each call of a function of `re`, its name, and the function around it, if any."""
    around = {
        id(inner): node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            yield node, ast.unparse(node.func).removeprefix("re."), around.get(id(node), "")


def patterns() -> Iterator[Used]:
    """Every pattern that the program compiles, or hands to `re` as a text."""
    for path in SOURCES:
        where = name(path)
        if where.partition("/")[0] in NOT_SERVED:
            continue
        tree = ast.parse(path.read_text())
        module = "analytics." + where.removesuffix(".py").replace("/", ".")
        known = vars(importlib.import_module(module.removesuffix(".__init__")))
        used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        for node, way, function in called(tree):
            if way in WAYS:
                pattern = re.compile(eval(ast.unparse(node.args[0]), {**known}))
                yield Used(f"{where}:{node.lineno}", pattern, (way,))
            elif way == "compile" and function:
                inside = f"{where}:{function}"
                assert inside in MADE_IN, "compile it once, outside, or return it to this test"
                yield from (Used(inside, each, ("search",)) for each in MADE_IN[inside]())
        for label, value in known.items():
            of_its_own = {
                node.attr
                for node in used
                if isinstance(node.value, ast.Name) and node.value.id == label
            }
            # What lies in something else is used under a name that is not known here.
            of_any = {node.attr for node in used if ast.unparse(node.value) != "re"}
            ways = of_its_own if isinstance(value, re.Pattern) else of_any
            tried = tuple(way for way in WAYS if way in ways)
            if tried and getattr(value, "__module__", module) == module:
                yield from (Used(f"{where}:{label}", each, tried) for each in compiled(value))


PATTERNS = [*patterns()]


def test_no_pattern_is_hidden() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module=module):
                    assert module not in ("re", "regex", "re2"), path
                case ast.Import(names=names):
                    for each in names:
                        assert each.name not in ("regex", "re2"), path
                        assert each.name != "re" or each.asname is None, path
                case ast.keyword(arg="pattern"):
                    pytest.fail(f"a pattern that this test does not try: {path}")


# ---- texts


def holds(character: str, kind: Any, value: Any) -> bool:
    """Whether *character* is what one part of a set of characters stands for."""
    match str(kind), value:
        case "LITERAL", int():
            return ord(character) == value
        case "RANGE", (low, high):
            return bool(low <= ord(character) <= high)
        case "CATEGORY", category:
            named = str(category)
            word = named.rpartition("_")[2]
            known = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[word]
            return bool(re.match(known, character)) != ("_NOT_" in named)
    raise TypeError(f"a part of an unknown kind: {kind}")


def one_of(parts: Any) -> str:
    """A character of a set."""
    negated = str(parts[0][0]) == "NEGATE"
    own = [chr(v if str(k) == "LITERAL" else v[0]) for k, v in parts if str(k) in KINDS]
    for character in (*own, *"a0 _-.:/Zé\x80\0"):
        if any(holds(character, *part) for part in parts[negated:]) != negated:
            return character
    return "a"


KINDS = ("LITERAL", "RANGE")


def example(parsed: Any) -> str:
    """A short text that a pattern matches, but for what it only looks at."""
    text = ""
    for kind, value in parsed:
        match str(kind), value:
            case "LITERAL", int():
                text += chr(value)
            case "NOT_LITERAL", int():
                text += "b" if chr(value) == "a" else "a"
            case "ANY", _:
                text += "a"
            case "IN", parts:
                text += one_of(parts)
            case "BRANCH", (_, branches):
                text += example(branches[0])
            case "SUBPATTERN", (*_, inner):
                text += example(inner)
            case "ATOMIC_GROUP", inner:
                text += example(inner)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (least, _, inner):
                text += example(inner) * least
    return text


def characters(parsed: Any) -> Iterator[str]:
    """Those that stand in a pattern, and one of each range and kind."""
    for kind, value in parsed:
        match str(kind), value:
            case "LITERAL" | "NOT_LITERAL", int():
                yield chr(value)
            case "RANGE", (low, _):
                yield chr(low)
            case "IN", inner:
                yield one_of(inner)
                yield from characters(inner)
            case "CATEGORY", category:
                yield {"DIGIT": "0", "SPACE": " ", "WORD": "a"}.get(
                    str(category).rpartition("_")[2], "."
                )
            case _, inner:
                yield from (each for one in parts(inner) for each in characters(one))


def parts(value: Any) -> Iterator[Any]:
    """The patterns inside one part of a pattern."""
    if isinstance(value, sre.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from parts(each)


def repetitions(parsed: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """What has to stand in front of each part that may be repeated often, and what it repeats."""
    for kind, value in parsed:
        if str(kind).endswith("_REPEAT") and value[1] > SHORT:
            inner = value[2]
            own = [*dict.fromkeys(characters(inner))][:4]
            pairs = (a + b for a, b in pairwise(own))
            yield from ((before, unit) for unit in (example(inner), *own, *pairs) if unit)
        for inner in parts(value):
            yield from repetitions(inner, before)
        before += example([(kind, value)])


def attacks(pattern: re.Pattern[Any]) -> Iterable[tuple[str, str]]:
    """Beginnings, each with what is to follow it again and again."""
    said = pattern.pattern
    parsed = sre.parse(said, pattern.flags)
    own = [*dict.fromkeys(characters(parsed))][:12]
    alone = [("", unit) for unit in (*own, "a", " ", *(a + b for a, b in pairwise(own)))]
    repeated = [*repetitions(parsed)]
    # The whole of it again and again, so that there are many places to begin at.
    again = [("", before + unit) for before, unit in repeated if before]
    return dict.fromkeys([*alone, *repeated, *again])


# ---- time


def took(used: Used, text: Any) -> float:
    """The processor's time for all ways in which a pattern is used."""
    began = time.thread_time()
    for way in used.ways:
        if way == "sub":
            used.pattern.sub(text[:0], text)
        else:
            found = getattr(used.pattern, way)(text)
            if way == "finditer":
                any(False for _ in found)
    return time.thread_time() - began


def is_slow(used: Used, before: str, unit: str, long: int) -> bool:
    """Whether the time grows faster than such a text does."""

    def made(characters: int) -> Any:
        text = (before + unit * (characters // len(unit) + 1))[:characters] + "\0"
        bytes_ = isinstance(used.pattern.pattern, bytes)
        return text.encode("latin-1", "replace") if bytes_ else text

    for times in range(8, SHORT, 4):
        if took(used, made(len(before) + times * len(unit))) > NOTICEABLE_S:
            return True
    size = 256
    while size <= long:
        now = took(used, made(size))
        if now > NOTICEABLE_S:
            now = min(now, took(used, made(size)))
            less = max(took(used, made(size // 4)) for _ in range(3))
            if now > NOTICEABLE_S and now > TWICE * less:
                return True
        size *= 4
    return False


def slow(used: Used, long: int = LONG) -> list[tuple[str, str]]:
    """The texts for which a pattern takes more than in proportion to their length."""
    return [each for each in attacks(used.pattern) if is_slow(used, *each, long)][:3]


# ---- the patterns


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 60
    found = {each.where.partition(":")[0] for each in PATTERNS}
    assert {"api/stats_v1.py", "ingest/bots.py", "ingest/wire/access_log.py"} <= found
    inside = {each.where for each in PATTERNS}
    assert {"ingest/wire/access_log.py:_PROXIES", "pipeline/source.py:_DOORS"} <= inside


@pytest.mark.parametrize(
    ("way", "pattern"),
    [
        ("search", r"(:+)="),
        ("search", r"^filters=(:+)*="),
        ("search", r"key=[^;]*;end"),
        ("match", r"(a+)+$"),
        ("match", r"x(?:a|aa)+y"),
        ("match", r"(?:\w+\.?)+@"),
        ("fullmatch", r"(?:[a-z]{2}\.|(?:\w+\.)*search\.)+"),
        ("fullmatch", r"\[\d+\](\s*|x)*y"),
        ("split", r"\s+$"),
        ("sub", rb"id=\d+\d*x"),
    ],
)
def test_a_slow_pattern_is_known(way: str, pattern: Any) -> None:
    assert slow(Used("", re.compile(pattern), (way,)))


@pytest.mark.parametrize("used", PATTERNS, ids=[each.where for each in PATTERNS])
def test_no_pattern_takes_more_than_in_proportion_to_the_text(used: Used) -> None:
    if used.where not in OPERATORS:
        assert slow(used, CUT.get(used.where, LONG)) == []
