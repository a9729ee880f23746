"""A command beside a server of another version says which of the two is older, and what to do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from analytics import __version__
from analytics.cli import main
from analytics.control import protocol, unix_socket
from analytics.data_folder import DataFolder
from analytics.errors import AnalyticsError, Conflict, Malformed, NotFound

STATUS = {"process": 1, "sites": 0, "people": 0, "keys": 0, "received": 0, "behind": 0}
OLDER, SAME, NEWER = "0.1.0", __version__, "99.1.0"


@contextmanager
def server(folder: DataFolder, version: str | None, answer: bytes) -> Iterator[None]:
    """A server of another version: it answers `status`, and everything else with *answer*."""
    listener = unix_socket.listen(folder.socket)
    listener.setblocking(True)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                asked = msgspec.json.decode(lines.readline(), type=protocol.Request)
                last = answer
                if asked.operation == "status" and version is not None:
                    last = protocol.result_line(msgspec.json.encode({"program": version, **STATUS}))
                connection.sendall(last)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(2)
        listener.close()
        thread.join()


def unknown_member(name: str) -> AnalyticsError:
    return Malformed("", f"{name}: Object contains unknown field `expires_in_days`")


def unknown_operation(name: str) -> AnalyticsError:
    return NotFound(f"{name} is not an operation of this server; are both of the same version?")


@pytest.mark.parametrize("error", [unknown_member, unknown_operation, None])
@pytest.mark.parametrize(
    ("version", "said"),
    [
        (OLDER, f"is of version 0.1.0, older than this command ({__version__})"),
        (SAME, f"is of version {__version__}, of another build than this command"),
        (NEWER, f"is of version 99.1.0, and this command is older ({__version__})"),
        (None, f"is of another version than this command ({__version__})"),
    ],
)
def test_which_side_is_older_is_said_with_the_way_out(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    error: Callable[[str], AnalyticsError] | None,
    version: str | None,
    said: str,
) -> None:
    """None of *error*: the answer lacks what this command needs of it."""
    folder = DataFolder(tmp_path / "data")
    with folder.held():
        pass
    answer = protocol.result_line(b'[{"site": "a.example"}]')
    if error is not None:
        answer = protocol.error_line(error("site.list"))
    with server(folder, version, answer):
        assert main(["site", "list", "--data", str(folder.path)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert ("update what this command" if version == NEWER else "restart the server") in told
    assert "unknown field" not in told


@pytest.mark.parametrize("error", [Conflict("it exists"), Malformed("timezone", "it is no zone")])
def test_other_errors_of_a_server_are_told_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: AnalyticsError
) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.held():
        pass
    with server(folder, OLDER, protocol.error_line(error)):
        assert main(["site", "list", "--data", str(folder.path)]) == 2
    assert capsys.readouterr().err == f"analytics: {error}\n"
