"""No task and no thread of the program runs without somebody who sees how it ends."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.checkout import files

MODULES = [path for path in files() if path.suffix == ".py" and "src" in path.parts]

STARTS = {"create_task", "ensure_future", "Thread", "Timer", "run_coroutine_threadsafe"}

ALLOWED = {
    ("background.py", "create_task"): "the supervisor itself",
    ("background.py", "Thread"): "the supervisor itself",
    (
        "control/socket_server.py",
        "ensure_future",
    ): "both are awaited by the connection that began them",
    ("store/duckdb/sql_process.py", "ensure_future"): "awaited by the question that began it",
    ("cli/run.py", "Thread"): "lives as long as one command, which awaits what it reads",
    ("dashboard/current_visitors.py", "create_task"): "one count, awaited by all who asked for it",
    ("dashboard/streamed_page.py", "ensure_future"): "awaited by the page that began it",
    (
        "dashboard/live_broadcast.py",
        "create_task",
    ): "logs its failure; its readers' streams end with it",
    ("dashboard/live_broadcast.py", "ensure_future"): "awaited by the board that began it",
    ("caller.py", "ensure_future"): "ends with the request whose reader it looks after",
    ("gateway/direct.py", "create_task"): "makes a salt for one request, which is then answered",
    ("job/spark.py", "Timer"): "fires once, at the time limit of a question under way",
    (
        "job/http_server.py",
        "Thread",
    ): "uvicorn's server, which survives its handlers; the job awaits it",
    ("registry/membership.py", "create_task"): "withdraws once; the block's end awaits it",
    ("store/duckdb/store.py", "ensure_future"): "`compact` awaits it, and tells how far it is",
    ("store/duckdb/deadlines.py", "Thread"): "interrupts queries; the next query begins it anew",
    ("store/duckdb/threads.py", "ensure_future"): "awaited by the call that began it",
    (
        "stream/kafka/partition_sender.py",
        "create_task",
    ): "one group of appends, each of which is answered",
    ("stream/kafka/log.py", "create_task"): "closes a producer; the reconnection awaits it",
    ("stream/kafka/log.py", "ensure_future"): "closes a producer; awaited where it is begun",
    ("testing/contracts/event_log.py", "create_task"): "awaited by the test that began it",
}


def name(path: Path) -> str:
    return str(path).partition("/src/analytics/")[2]


def called(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and (function := called(node)) is not None:
            yield function, node


def test_every_task_and_thread_is_supervised_or_named_here_with_a_reason() -> None:
    begun = {(name(path), each) for path in MODULES for each, _ in calls(path) if each in STARTS}
    assert ("background.py", "create_task") in begun
    assert begun - {*ALLOWED} == set(), "use analytics.background, or say who sees how it ends"
    assert {*ALLOWED} - begun == set(), "these begin nothing any more"


def holds_until_closed(function: str, call: ast.Call) -> bool:
    """Whether it returns an asynchronous generator that holds a file or a connection."""
    match function:
        case "read":  # of an `EventLog`
            return any(each.arg == "limit" for each in call.keywords)
        case "stream":  # of the store's threads; a request's needs no argument
            return bool(call.args)
    return function == "recent_ids"


def test_what_a_log_or_a_store_streams_is_closed_by_whoever_reads_it() -> None:
    left_open, closed = [], []
    for path in MODULES:
        tree = ast.parse(path.read_text())
        handed_on = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Return)}
        for node in ast.walk(tree):
            if called(node) == "aclosing" and isinstance(node, ast.Call):
                handed_on.update(map(id, node.args))
                closed += [name(path) for each in node.args if called(each) is not None]
        left_open += [
            f"{name(path)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and holds_until_closed(called(node) or "", node)
            and id(node) not in handed_on
        ]
    assert {"projector.py", "stream/spool.py", "admin/auditing.py"} <= {*closed}
    assert left_open == [], "read it as `async with aclosing(…) as batches`"
