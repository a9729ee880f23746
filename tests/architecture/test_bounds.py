"""What comes from outside is bounded: every cache and every endpoint is tried.

Patterns are in `test_patterns.py`.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import httpx2
import pytest
from tests.architecture.checkout import files

from analytics.app import compose
from analytics.bounded_cache import LONGEST
from analytics.gateway.gate import Gate
from analytics.settings import Settings
from analytics.settings.tree import GatewaySettings, IngestSettings
from analytics.startup import open_resources

SOURCES = sorted(
    path
    for path in files()
    if "src/analytics" in str(path) and path.suffix == ".py" and path.name != "__main__.py"
)

# ---- caches

OWN_KEYS = {
    ("currency.py", "_codes"): "asked for nothing",
    ("place_names.py", "countries"): "asked for nothing",
    ("place_names.py", "regions"): "asked for nothing",
    (
        "store/sql/place_columns.py",
        "_codes_and_names",
    ): "asked for two dimensions",
    ("store/sql/place_columns.py", "_same"): "asked for two dimensions",
    ("dashboard/page_routes.py", "_compressed"): "asked for files of the package",
    ("dashboard/templates.py", "environment"): "asked for nothing",
    ("dashboard/templates.py", "static_version"): "asked for nothing",
    ("visitor_id.py", "_site_digest"): "asked for names of sites, which are in the catalog",
    ("ingest/user_agents.py", "_parser"): "asked for nothing",
    ("ingest/bots.py", "_listed"): "asked for nothing",
    ("ingest/geolocation.py", "self._cached_place"): "asked for addresses that were parsed",
    ("ingest/shields.py", "rules"): "asked for rules that an owner set",
    ("ingest/wire/access_log.py", "_midnight"): "asked for dates, of the length that one has",
    (
        "job/partition/state_store.py",
        "_site_key",
    ): "asked for names of sites, which are in the catalog",
    ("job/partition/worker.py", "_worker"): "asked for settings",
    ("pipeline/suffix.py", "_list"): "asked for nothing",
    ("catalog/password_rules.py", "_common"): "asked for nothing",
    ("localtime.py", "changes"): "asked for time zones of sites, and numbers",
    ("localtime.py", "edition"): "asked for time zones of sites",
    ("store/duckdb/lookups.py", "_visits_sql"): "asked for nothing",
    ("wildcard.py", "_hostnames"): "asked for patterns that an owner set",
    ("zones.py", "countries"): "asked for nothing",
    ("zones.py", "names"): "asked for nothing",
    ("zones.py", "places"): "asked for nothing",
    ("zones.py", "zone"): "keeps time zones of the closed list alone",
}
"""What functools keeps the answers of, and why nobody outside chooses its keys."""
MOST_BYTES = 128 << 20
"""Of the keys of all caches of foreign text together, each character of the widest kind."""
KEPT_BY = {"functools": ("lru_cache", "cache")}
OTHERS = ("async_lru", "cachebox", "cachetools", "diskcache", "joblib", "methodtools")
"""Libraries of caches that this test would not see through."""


def name(path: Path) -> str:
    return str(path).partition("/src/analytics/")[2]


def imported(tree: ast.Module) -> tuple[set[str], set[str]]:
    """The names under which a module has functools' caches, and those of functools itself."""
    functions, modules = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert str(node.module).partition(".")[0] not in OTHERS, node.module
            for each in node.names:
                if each.name in KEPT_BY.get(str(node.module), ()):
                    functions.add(each.asname or each.name)
        elif isinstance(node, ast.Import):
            for each in node.names:
                assert each.name.partition(".")[0] not in OTHERS, each.name
                if each.name in KEPT_BY:
                    modules.add(each.asname or each.name)
    return functions, modules


def caches(tree: ast.Module) -> Iterator[str]:
    """Whatever *tree* keeps the answers of by functools: functions, and what is assigned."""
    functions, modules = imported(tree)

    def is_cache(node: ast.AST) -> bool:
        match node:
            case ast.Name(id=called):
                return called in functions
            case ast.Attribute(value=ast.Name(id=module), attr=called):
                return module in modules and called in KEPT_BY["functools"]
        return False

    def uses(node: ast.AST) -> bool:
        return any(is_cache(each) for each in ast.walk(node))

    decorators = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in filter(uses, node.decorator_list):
                decorators.update(map(id, ast.walk(decorator)))
                yield node.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Expr) and any(
            is_cache(each) and id(each) not in decorators for each in ast.walk(node)
        ):
            yield ast.unparse(node).partition(" = ")[0]


def test_a_cache_that_keeps_what_it_is_asked_is_bounded_in_bytes_or_has_keys_of_our_own() -> None:
    found = {
        (name(path), each)
        for path in SOURCES
        if path.name != "bounded_cache.py"
        for each in caches(ast.parse(path.read_text()))
    }
    assert ("ingest/geolocation.py", "self._cached_place") in found
    assert found - {*OWN_KEYS} == set(), "use bounded_cache, or say whose keys it has"
    assert {*OWN_KEYS} - found == set(), "there is no such cache any more"


@pytest.mark.parametrize(
    "source",
    [
        "from functools import lru_cache\n@lru_cache(9)\ndef f(text): ...",
        "from functools import cache as kept\nclass A:\n @kept\n async def f(self, text): ...",
        "import functools\n@functools.lru_cache(maxsize=None)\ndef f(text): ...",
        "import functools as tools\ndef g(text):\n f = tools.cache(len)\n return f(text)",
        "from functools import lru_cache\nclass A:\n f = staticmethod(lru_cache(9)(len))",
        "from functools import lru_cache\ndef g():\n return lru_cache(9)(len)",
    ],
)
def test_a_cache_is_found_however_it_is_made(source: str) -> None:
    assert len([*caches(ast.parse(source))]) == 1


def test_the_caches_of_foreign_text_have_one_bound_together() -> None:
    sizes = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "bounded_cache":
                module = importlib.import_module(
                    "analytics." + name(path).removesuffix(".py").replace("/", ".")
                )
                given = [eval(ast.unparse(each), vars(module)) for each in node.args]
                named = {
                    each.arg: eval(ast.unparse(each.value), vars(module)) for each in node.keywords
                }
                sizes[name(path), node.lineno] = given[0] * named.get("longest", LONGEST) * 4
    assert len(sizes) > 10
    assert sum(sizes.values()) <= MOST_BYTES, sizes


# ---- what grows

NOT_ASKED = ("balancer", "cli", "cluster", "job", "registry", "stream", "testing")
"""Parts that no request of a stranger reaches before it was bounded and counted."""
CONTAINERS = frozenset(
    {"dict", "list", "set", "OrderedDict", "defaultdict", "deque", "Counter", "WeakKeyDictionary",
     "WeakSet", "WeakValueDictionary"}
)  # fmt: skip
BOUNDED_BY = {
    (
        "scheduled_export/progress_file.py",
        "days",
    ): "one for each day of each site that was exported",
    ("admin/importing.py", "self.days"): "the days that a date with four digits of a year can name",
    ("admin/importing.py", "self.dropped"): "reasons, of which there are a few",
    ("admin/importing.py", "self.examples"): "one for each reason",
    ("admin/importing.py", "self.unreadable"): "a few lines are shown",
    ("admin/importing.py", "self.unreadable_because"): "reasons, of which there are a few",
    ("admin/status.py", "warnings"): "written by the program, for one answer",
    ("admin/workspace.py", "warnings"): "filled at the start",
    ("breaker.py", "self._buckets"): "those of its window",
    ("breaker.py", "self.outcomes"): "outcomes, of which there are a few",
    (
        "dashboard/live_broadcast.py",
        "self._boards",
    ): "sites that somebody looks at, whose streams are bounded",
    ("dashboard/login_guard.py", "self._due"): "_ACCOUNTS",
    ("dashboard/login_guard.py", "self._of"): "_ACCOUNTS, with _NETWORKS each",
    ("dashboard/login_guard.py", "self._under_way"): "attempts under way, which connections bound",
    ("dashboard/stream_limits.py", "self._open"): "open streams, which it bounds",
    ("event.py", "props"): "those of one event, which its decoder bounds",
    ("gateway/gate.py", "self._exact"): "filled at the start",
    ("gateway/disconnect.py", "self._kept"): "the body of one request, which the gate bounds",
    (
        "gateway/uploads.py",
        "self._held_of",
    ): "senders of the bytes that are held, which are bounded",
    ("ingest/enricher.py", "self._unknown_sites"): "MAX_UNKNOWN_SITES",
    ("ingest/request_counts.py", "self.refusals"): "codes of errors, of which there are a few",
    ("ingest/hostnames.py", "self._by_site"): "sites of the catalog, with _NAMED names each a day",
    ("ingest/access_log_import.py", "self._old"): "_REMEMBERED",
    ("ingest/access_log_import.py", "self._young"): "_REMEMBERED",
    ("ingest/proxies.py", "self._seen"): "advice, of which there are a few",
    ("ingest/wire/base.py", "props"): "those of one event, which its decoder bounds",
    ("limiter.py", "self._due"): "MAX_NAMES",
    ("pipeline/dedupe.py", "self._old"): "filters of a fixed size, of a day or two",
    ("pipeline/ledger.py", "self._lines"): "one batch",
    ("pipeline/ledger.py", "self.dropped"): "reasons, of which there are a few",
    ("pipeline/replay_figures.py", "self._sums"): "_MOST_SUMS, and three for each stored day",
    ("pipeline/sessions.py", "self._absent"): "the visitors of one batch",
    (
        "pipeline/sessions.py",
        "self._old",
    ): "visitors of the last while, whom limits of senders bound",
    (
        "pipeline/sessions.py",
        "self._whole",
    ): "visitors of the last while, whom limits of senders bound",
    (
        "pipeline/sessions.py",
        "self._young",
    ): "visitors of the last while, whom limits of senders bound",
    ("pipeline/source.py", "self._addresses"): "filled at the start",
    ("pipeline/source.py", "self._names"): "filled at the start",
    ("catalog/sqlite/audit.py", "self._refused"): "accounts, and one name for all others",
    ("catalog/sqlite/keys.py", "self._used"): "keys of the catalog",
    ("store/duckdb/cell_builder.py", "self._rests_until"): "sites of the catalog",
    ("store/duckdb/cell_builder.py", "self._touched"): "sites of the catalog",
    ("store/duckdb/deadlines.py", "self._running"): "questions under way, one for each thread",
    ("store/duckdb/engine.py", "self._sessions"): "one for each thread",
    ("store/sql/bound_values.py", "self._values"): "one question, whose size is bounded",
    ("store/freshness.py", "self._noted"): "the last minutes",
    ("store/ignite/driver.py", "self._caches"): "caches that the program names",
    ("store/chunks/codec.py", "gone"): "one batch",
    ("store/chunks/codec.py", "orders"): "one batch",
    ("store/result_cache.py", "self._answers"): "_MOST_BYTES",
    ("store/result_cache.py", "self._changed_at"): "sites of the catalog, and MAX_UNKNOWN_SITES",
    ("store/replica/erasure_requests.py", "self._retained"): "sites of the catalog",
    ("store/replica/follower.py", "self.next_offsets"): "partitions of the log",
    ("store/replica/remote_query_client.py", "self._connections"): "one for each thread",
    ("gateway/sender_connections.py", "self._held"): "connections that are open",
    ("store/query_queue.py", "self._known"): "questions that wait, for as long as patience lasts",
    ("store/query_queue.py", "self._anonymous"): "as `_known`",
    ("disk_forecast.py", "self._samples"): "six an hour, of 24 hours",
    ("ingest/daily_quota.py", "self._counts"): "sites that have a limit",
    ("store/query_queue.py", "self._went_ahead"): "`_KNOWN_AHEAD` at most",
    ("store/query_queue.py", "self.waiting"): "questions that wait, for as long as patience lasts",
}
"""Containers that outlive a call, and what ends their growth."""


def is_empty(value: ast.expr) -> bool:
    """Whether *value* is a container with nothing in it, whose room has no end."""
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]):
            return True
        case ast.Call():
            made = ast.unparse(value.func).rpartition(".")[2]
            told = {each.arg: ast.unparse(each.value) for each in value.keywords}
            if made == "field":
                return told.get("default_factory", "").rpartition(".")[2] in CONTAINERS
            return (
                made in CONTAINERS
                and "maxlen" not in told
                and (not value.args or made in ("defaultdict", "deque"))
            )
    return False


def growing(tree: ast.Module) -> Iterator[str]:
    """The attributes, and the names of modules and classes, that begin as an empty container.

    What is declared a `Mapping` or a `Sequence` is exchanged, and does not grow.
    """
    local = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            (target, *_), declared = node.targets, ""
        elif isinstance(node, ast.AnnAssign):
            target, declared = node.target, ast.unparse(node.annotation)
        else:
            continue
        kept = isinstance(target, ast.Attribute) or id(node) not in local
        fixed = declared.removeprefix("Final[").startswith(("Mapping", "Sequence"))
        if kept and not fixed and node.value is not None and is_empty(node.value):
            yield ast.unparse(target)


def test_whatever_grows_has_an_end() -> None:
    found = {
        (name(path), each)
        for path in SOURCES
        if name(path).partition("/")[0] not in NOT_ASKED
        for each in growing(ast.parse(path.read_text()))
    }
    assert found - {*BOUNDED_BY} == set(), "say what ends its growth"
    assert {*BOUNDED_BY} - found == set(), "there is no such container any more"


@pytest.mark.parametrize(
    "source",
    [
        "seen = {}",
        "seen: dict[str, int] = dict()",
        "import collections\nseen = collections.defaultdict(list)",
        "class A:\n seen = []",
        "class A:\n seen: set[str] = field(default_factory=set)",
        "class A:\n def __init__(self):\n  self._seen: set[str] = set()",
        "class A:\n def f(self):\n  self.of.seen = deque()",
    ],
)
def test_what_grows_is_found_however_it_is_made(source: str) -> None:
    assert len([*growing(ast.parse(source))]) == 1


# ---- endpoints

NOT_LIMITED = {(method, "/health/live") for method in ("GET", "HEAD", "OPTIONS", "PUT")}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """The whole application, in which whoever asks twice has asked too often."""
    rates = {"rate_per_s": 1e-6, "rate_burst": 1}
    settings = Settings(
        data=tmp_path / "data",
        ingest=IngestSettings(**rates, trusted_proxies=()),
        gateway=GatewaySettings(**rates),
    )
    async with open_resources(settings) as parts:
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
    asked = endpoints(gate)
    # What a path does not answer is an answer too.
    asked += [(other, path) for _, path in asked for other in ("HEAD", "OPTIONS", "PUT")]
    for method, path in dict.fromkeys(asked):
        # From an address of its own, which is not this machine's.
        peer = (f"198.51.{next(addresses)}.7", 1)
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
        while read <= 8 << 20:  # for whoever reads all that comes
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
