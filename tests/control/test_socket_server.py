"""A command reaches the server that owns the folder, and hears what became of its wish."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from analytics import problem
from analytics.admin import importing, sites
from analytics.admin.operation_context import Progress
from analytics.admin.workspace import Workspace
from analytics.cli.run import run
from analytics.control import protocol, unix_socket
from analytics.control.socket_server import serving
from analytics.errors import Conflict, Malformed, Misconfigured, NotFound, Unavailable
from analytics.settings import Settings

LINE = (
    b'203.0.113.7 - - [17/May/2015:10:05:00 +0000] "GET /%d HTTP/1.1" 200 5 "-" '
    b'"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"\n'
)


@pytest.fixture(autouse=True)
async def _served(workspace: Workspace) -> AsyncIterator[None]:
    async with serving(workspace):
        yield


@pytest.fixture
def command(settings: Settings) -> Callable[..., Any]:
    """`run`, in a thread, as another process would."""

    async def called(*args: Any, **named: Any) -> Any:
        return await asyncio.to_thread(run, settings, *args, **named)

    return called


async def test_the_server_does_what_the_command_wishes(
    workspace: Workspace, command: Callable[..., Any]
) -> None:
    asked = sites.AddSite(domain="example.com", timezone="Asia/Tehran")
    added = await command("site.add", asked, sites.SiteShown)
    assert workspace.catalog.sites.get("example.com") is not None
    assert (added.site, added.timezone) == ("example.com", "Asia/Tehran")


async def test_an_error_arrives_as_what_it_was(command: Callable[..., Any]) -> None:
    good, bad = sites.AddSite(domain="example.com"), sites.AddSite(domain="a b")
    await command("site.add", good, sites.SiteShown)
    with pytest.raises(Conflict, match=r"^example\.com is a site already$"):
        await command("site.add", good, sites.SiteShown)
    with pytest.raises(Malformed, match=r"^domain: 'a b' is not a host") as caught:
        await command("site.add", bad, sites.SiteShown)
    assert caught.value.field == "domain"


async def test_an_operation_that_the_server_does_not_know_is_refused(
    command: Callable[..., Any],
) -> None:
    with pytest.raises(Misconfigured, match="of another build than this command"):
        await command("site.paint", sites.ListSites(), object)


async def test_input_and_progress_go_both_ways_at_once(
    workspace: Workspace, command: Callable[..., Any]
) -> None:
    await workspace.catalog.sites.add("example.com", timezone="Etc/UTC")
    data = b"".join(LINE % n for n in range(3000))
    told: list[Progress] = []
    asked = importing.ImportPast(format="access-log", site="example.com", bytes=len(data))
    done = await command(
        "import", asked, importing.Imported, source=io.BytesIO(data), report=told.append
    )
    assert (done.lines, done.stored) == (3000, 3000)
    assert told[-1] == Progress(len(data), len(data), "3,000 lines")


async def test_a_refusal_comes_through_though_the_input_was_not_read(
    command: Callable[..., Any],
) -> None:
    asked = importing.ImportPast(format="access-log", site="nowhere.example")
    with pytest.raises(NotFound, match=r"nowhere\.example is not a site here"):
        await command("import", asked, importing.Imported, source=io.BytesIO(LINE * 100_000))


async def test_input_cut_off_is_an_error_and_no_half_line_is_stored(
    workspace: Workspace, settings: Settings
) -> None:
    await workspace.catalog.sites.add("example.com", timezone="Etc/UTC")
    reader, writer = await asyncio.open_unix_connection(
        sock=unix_socket.connect(workspace.folder.socket)
    )
    asked = b'{"format": "access-log", "site": "example.com"}'
    writer.write(protocol.request_line("import", asked))
    writer.write(protocol.frame(LINE[: len(LINE) // 2]))
    writer.write_eof()
    reply = protocol.reply(await reader.readline())
    writer.close()
    assert reply.error is not None
    assert "cut off" in reply.error.error
    assert await workspace.store.ledger() == {}


async def test_a_client_that_goes_away_at_once_does_no_harm(
    workspace: Workspace, command: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    await workspace.catalog.sites.add("example.com", timezone="Etc/UTC")
    for asked in ("import", "audit"):
        connection = unix_socket.connect(workspace.folder.socket)
        assert connection is not None
        with connection:
            parameters = b'{"format": "access-log", "site": "example.com"}'
            connection.sendall(
                protocol.request_line(asked, parameters if asked == "import" else b"{}")
            )
            connection.sendall(protocol.frame(LINE * 100))
    assert await command("site.list", sites.ListSites(), list[sites.SiteShown])
    assert "Unhandled" not in capfd.readouterr().err


async def test_nonsense_is_answered_as_such(workspace: Workspace) -> None:
    reader, writer = await asyncio.open_unix_connection(
        sock=unix_socket.connect(workspace.folder.socket)
    )
    writer.write(b"GET / HTTP/1.1\r\n")
    reply = protocol.reply(await reader.readline())
    writer.close()
    assert reply.error is not None
    assert reply.error.code == "malformed"


async def test_a_server_that_stops_says_so(workspace: Workspace, tmp_path: Path) -> None:
    await workspace.catalog.sites.add("example.com", timezone="Etc/UTC")
    connection = None
    async with serving(workspace):
        connection = unix_socket.connect(workspace.folder.socket)
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        asked = b'{"format": "access-log", "site": "example.com"}'
        writer.write(protocol.request_line("import", asked))
        writer.write(protocol.frame(b"".join(LINE % n for n in range(600))))
        first = protocol.reply(await reader.readline())
        assert first.progress is not None
    last = protocol.reply(await reader.readline())
    writer.close()
    assert last.error is not None
    assert isinstance(problem.restore(last.error), Unavailable)


async def test_the_socket_is_for_its_owner_only(workspace: Workspace) -> None:
    assert workspace.folder.socket.stat().st_mode & 0o777 == 0o600


def test_a_deep_folder_has_a_socket_too(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 50] * 4)
    deep.mkdir(parents=True)
    listener = unix_socket.listen(deep / "analytics.sock")
    connection = unix_socket.connect(deep / "analytics.sock")
    assert connection is not None
    connection.close()
    listener.close()
    assert unix_socket.connect(deep / "analytics.sock") is None
