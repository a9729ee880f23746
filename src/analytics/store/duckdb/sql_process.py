"""Answers questions in SQL by a process for each, which sees copies of the rows that it may see."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from uuid import uuid4

import msgspec

from analytics import bounds, caller
from analytics.errors import Busy, Malformed, QueryTooLong, ReaderLeft, StoreUnavailable
from analytics.store.duckdb import sql_copy
from analytics.store.duckdb.export import FORMULA, NUMBER
from analytics.store.duckdb.sql_views import VIEWS
from analytics.store.duckdb.threads import StoreThreads
from analytics.store.sql_question import ResultColumn, SqlAnswer, SqlQuestion

T = TypeVar("T")

_LINE_BYTES: Final = 1 << 20
_KEPT_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""All else of the environment may hold secrets."""


class SqlLimits(NamedTuple):
    """How much a question in SQL may take."""

    memory: int = 512 << 20
    """Of its process, in bytes."""
    rows: int = 10_000
    """In an answer."""
    at_once: int = 2
    seconds: float = 30
    """For an answer."""
    patience_s: float = 20
    """Before one begins."""


class SqlProcesses:
    """Runs the questions of one store, a few at a time."""

    def __init__(self, threads: StoreThreads, folder: Path, limits: SqlLimits) -> None:
        self._threads = threads
        self._folder = folder
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.at_once)

    async def answer(self, question: SqlQuestion) -> SqlAnswer:
        """Return the answer to *question*, as `AnswersSql.sql`."""
        if len(question.statement) > bounds.SQL_CHARS:
            raise Malformed("sql", f"a question has at most {bounds.SQL_CHARS:,} characters")
        try:
            question.statement.encode()
        except UnicodeEncodeError as exc:
            raise Malformed("sql", "it has half of a character (a lone surrogate)") from exc
        async with self._turn():
            folder = self._folder / f"sql-{uuid4().hex}"
            folder.mkdir()
            try:
                return await self._in_time(_while_reader_stays(self._answer(question, folder)))
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        patience = self._limits.patience_s
        try:
            async with asyncio.timeout(patience):
                await self._turns.acquire()
        except TimeoutError:
            raise Busy(
                f"Other questions in SQL were ahead for {patience:g} s, and this one was not begun."
                " Ask again in a moment; where that happens often, raise store.sql_at_once.",
                retry_after=max(1.0, patience / 2),
            ) from None
        try:
            yield
        finally:
            self._turns.release()

    async def _in_time(self, answering: Awaitable[SqlAnswer]) -> SqlAnswer:
        seconds = self._limits.seconds
        try:
            async with asyncio.timeout(seconds):
                return await answering
        except TimeoutError:
            raise QueryTooLong(
                f"The answer took longer than {seconds:g} s and was given up. Ask about fewer days"
                " with `from` and `to`, or raise store.query_timeout_s."
            ) from None

    async def _answer(self, question: SqlQuestion, folder: Path) -> SqlAnswer:
        async with _child(folder) as child:
            answer = folder / "answer"
            await child.say(self._request(question, answer))
            needs = sql_copy.checked((await self._heard(child))["needs"])
            files, first_days = await self._threads.read(
                partial(sql_copy.copy, question=question, needs=needs, folder=folder),
                at_most_s=self._limits.seconds,
            )
            await child.say({"files": {view: str(path) for view, path in files.items()}})
            done = await self._heard(child)
        kept = self._folder / f"sql-{uuid4().hex}.{question.format}"
        answer.replace(kept)
        return SqlAnswer(
            path=kept,
            columns=msgspec.convert(done["columns"], list[ResultColumn]),
            rows=done["rows"],
            truncated=done["truncated"],
            held_since=first_days,
        )

    def _request(self, question: SqlQuestion, answer: Path) -> Mapping[str, object]:
        return {
            "statement": question.statement,
            "views": {view: list(columns) for view, columns in VIEWS.items()},
            "memory": self._limits.memory,
            "seconds": self._limits.seconds,
            "rows": self._limits.rows,
            "answer": str(answer),
            "answer_bytes": bounds.SQL_ANSWER_BYTES,
            "format": question.format,
            "formula": FORMULA,
            "number": NUMBER,
        }

    async def _heard(self, child: _Child) -> Mapping[str, Any]:
        line = await child.hear()
        if line is None or "memory" in line:
            raise Malformed(
                "sql",
                f"it needs more than it may have: {self._limits.memory >> 20} MiB of memory"
                f" (store.sql_memory), {bounds.SQL_ANSWER_BYTES >> 20} MiB of answer. Ask for"
                " fewer columns, fewer days or sums",
            )
        if "refused" in line:
            raise Malformed("sql", str(line["refused"]))
        return line


class _Child:
    """The process of one question."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def say(self, line: Mapping[str, object]) -> None:
        """Send a line; one that has ended is noticed by what it does not say."""
        if self._process.stdin is not None:
            with suppress(ConnectionError):
                self._process.stdin.write(msgspec.json.encode(line) + b"\n")
                await self._process.stdin.drain()

    async def hear(self) -> Mapping[str, Any] | None:
        """Return its next line; None when it has ended."""
        line = b"" if self._process.stdout is None else await self._process.stdout.readline()
        reply: Mapping[str, Any] | None = msgspec.json.decode(line) if line else None
        return reply


@asynccontextmanager
async def _child(folder: Path) -> AsyncIterator[_Child]:
    """Start the process of a question; it has ended when the block has, however that ends."""
    program = Path(__file__).with_name("sql_child.py")
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            cwd=folder,
            limit=_LINE_BYTES,
        )
    except OSError as exc:
        raise StoreUnavailable(f"no process for a question can be started: {exc}") from exc
    try:
        yield _Child(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _while_reader_stays(answering: Awaitable[T]) -> T:
    """Return what *answering* returns; give it up when the client disconnects."""
    guest = caller.current()
    leaving = None if guest is None else guest.leaving()
    if leaving is None:
        return await answering
    work = asyncio.ensure_future(answering)
    try:
        either: set[asyncio.Future[object]] = {work, leaving}  # type: ignore[arg-type]  # sets are invariant
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ReaderLeft("The reader went away before the question was answered.")
        return work.result()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
