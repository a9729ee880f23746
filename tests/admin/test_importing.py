"""A server's log comes in once, whatever is done to it."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Sequence

import pytest

from analytics.admin import auditing, importing
from analytics.admin.auditing import Audit
from analytics.admin.importing import (
    OTHER_REASONS,
    SHOWN_REASONS,
    Imported,
    ImportPast,
    UnreadableLine,
)
from analytics.admin.operation_context import OperationContext, Progress
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed, NotFound

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def log_line(path: str, *, second: int = 0, status: int = 200, agent: str = FIREFOX) -> str:
    return (
        f"203.0.113.{second % 250} - - [17/May/2015:10:05:{second % 60:02} +0000] "
        f'"GET {path} HTTP/1.1" {status} 512 "-" "{agent}"'
    )


NO_TIME = "it has no time in brackets, such as [17/May/2015:10:05:03 +0000]"
PAGES = [log_line(f"/page/{n}", second=n) for n in range(5)]


async def bring(workspace: Workspace, lines: Sequence[str], *, packed: bool = False) -> Imported:
    data = "".join(line + "\n" for line in lines).encode()
    data = gzip.compress(data) if packed else data

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 100):
            yield data[at : at + 100]

    asked = ImportPast(format="access-log", site="example.com", bytes=len(data))
    return await importing.run(workspace, asked, OperationContext(input=pieces()))


@pytest.fixture(autouse=True)
async def _site(workspace: Workspace) -> None:
    await workspace.catalog.sites.add("example.com", timezone="Etc/UTC")


async def test_every_line_is_accounted_for(workspace: Workspace) -> None:
    bot = log_line("/", second=9, agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    other = [log_line("/a.png"), log_line("/gone", status=404), "no log line", bot]
    done = await bring(workspace, [*PAGES, *other])
    assert done == Imported(
        site="example.com",
        lines=9,
        pageviews=6,
        stored=6,
        duplicate=0,
        bots=1,
        without_user_agent=0,
        dropped={"not-a-page": 1, "not-ok": 1},
        unreadable=1,
        unreadable_lines=[8],
        unreadable_because={NO_TIME: 1},
        unreadable_examples=[UnreadableLine(because=NO_TIME, number=8, text="no log line")],
        first_unreadable="no log line",
    )


async def test_a_log_without_user_agents_is_told_by_how_many_lack_them(
    workspace: Workspace,
) -> None:
    silent = [log_line("/", second=n, agent="-") for n in range(3)]
    done = await bring(workspace, [*PAGES, *silent])
    assert (done.pageviews, done.bots, done.without_user_agent) == (8, 3, 3)


async def test_the_first_unreadable_line_is_shown_without_control_characters(
    workspace: Workspace,
) -> None:
    done = await bring(
        workspace, [PAGES[0], "\x1b[31m" + "é" * 400, "other", "- - -" + PAGES[1][12:]]
    )
    assert done.first_unreadable == ("\ufffd[31m" + "é" * 147 + "\ufffd")
    assert (done.unreadable, done.unreadable_lines) == (3, [2, 3, 4])
    assert done.unreadable_because == {
        NO_TIME: 2,
        "no address of a visitor stands in front of the time": 1,
    }
    assert [each.number for each in done.unreadable_examples] == [2, 4]


async def test_reasons_that_quote_their_lines_are_as_few_as_others(workspace: Workspace) -> None:
    odd = [log_line(f"http://bad host {n}/") for n in range(300)]
    done = await bring(workspace, [*PAGES, *odd, "no log line"])
    assert done.unreadable == 301
    assert len(done.unreadable_because) == SHOWN_REASONS + 1
    assert done.unreadable_because[OTHER_REASONS] == 301 - SHOWN_REASONS


async def test_the_same_file_again_adds_nothing(workspace: Workspace) -> None:
    await bring(workspace, PAGES)
    again = await bring(workspace, PAGES, packed=True)
    assert (again.pageviews, again.stored, again.duplicate) == (5, 0, 5)


async def test_a_file_that_has_grown_adds_what_is_new(workspace: Workspace) -> None:
    await bring(workspace, PAGES[:3])
    again = await bring(workspace, PAGES)
    assert (again.stored, again.duplicate) == (2, 3)


async def test_two_requests_that_read_alike_are_two(workspace: Workspace) -> None:
    done = await bring(workspace, [PAGES[0], PAGES[1], PAGES[0], PAGES[0]])
    assert done.stored == 4
    assert (await bring(workspace, [PAGES[0], PAGES[1], PAGES[0], PAGES[0]])).stored == 0


async def test_the_ledger_balances_after_imports(workspace: Workspace) -> None:
    for _ in range(2):
        await bring(workspace, [*PAGES, log_line("/a.css")])
    audited = await auditing.run(workspace, Audit(), OperationContext())
    assert audited.balanced, audited.faults
    (site,) = audited.sites
    assert (site.received, site.stored, site.duplicate) == (12, 5, 5)
    assert site.dropped == {"not-a-page": 2}


async def test_progress_is_told_in_bytes_of_the_file(workspace: Workspace) -> None:
    told: list[Progress] = []
    data = "".join(log_line(f"/{n}", second=n) + "\n" for n in range(1200)).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    asked = ImportPast(format="access-log", site="example.com", bytes=len(data))
    await importing.run(workspace, asked, OperationContext(input=pieces(), report=told.append))
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert told[-1] == Progress(len(data), len(data), "1,200 lines")
    assert len(told) > 2


async def test_an_unknown_site_is_named_with_those_there_are(workspace: Workspace) -> None:
    asked = ImportPast(format="access-log", site="exampel.com")
    with pytest.raises(NotFound, match=r"exampel\.com is not a site here; there are example\.com"):
        await importing.run(workspace, asked, OperationContext())


async def test_an_unknown_format_is_named_with_those_there_are(workspace: Workspace) -> None:
    asked = ImportPast(format="iis", site="example.com")
    with pytest.raises(Malformed, match="'iis' is not a format that can be read; access-log can"):
        await importing.run(workspace, asked, OperationContext())
