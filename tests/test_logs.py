"""The log's two faces."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from analytics import logs
from analytics.settings import LogsSettings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:], logging.getLogger().level = before
    structlog.reset_defaults()


def test_json_is_one_object_a_line_with_the_values_as_keys() -> None:
    out = io.StringIO()
    logs.configure(LogsSettings(format="json"), stream=out)
    structlog.get_logger().info("batch_appended", events=3)
    line = json.loads(out.getvalue())
    assert (line["event"], line["events"], line["level"]) == ("batch_appended", 3, "info")
    assert line["timestamp"].endswith("Z")


def test_libraries_that_use_the_standard_logger_come_out_in_the_same_shape() -> None:
    out = io.StringIO()
    logs.configure(LogsSettings(format="json"), stream=out)
    logging.getLogger("uvicorn.error").warning("slow %s", "client")
    assert json.loads(out.getvalue())["event"] == "slow client"


def test_pretty_reads_as_a_line_of_text() -> None:
    out = io.StringIO()
    logs.configure(LogsSettings(format="pretty"), stream=out)
    structlog.get_logger().info("batch_appended", events=3)
    assert "batch_appended" in out.getvalue()
    assert "events=3" in out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_what_strangers_wrote_does_not_steer_the_terminal(out: io.StringIO) -> None:
    logs.configure(LogsSettings(format="pretty"), stream=out)

    def fail() -> None:
        raise ValueError("cut \x9b31m\u202e")

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed", path="/\x1b]0;mine\x07\x9b2J")
    logging.getLogger("uvicorn.error").warning("odd %s", "\x1b[2J\x9d")
    written = out.getvalue()
    assert not set("\x07\x9b\x9d\u202e") & set(written)
    assert "\x1b]0" not in written
    assert "\x1b[2J" not in written
    assert "\\u009b31m" in written


def test_auto_is_json_where_no_terminal_reads_along() -> None:
    out = io.StringIO()
    logs.configure(LogsSettings(format="auto"), stream=out)
    structlog.get_logger().info("started")
    assert json.loads(out.getvalue())["event"] == "started"


def test_events_below_the_level_are_left_out() -> None:
    out = io.StringIO()
    logs.configure(LogsSettings(format="json", level="warning"), stream=out)
    structlog.get_logger().info("started")
    assert out.getvalue() == ""


@pytest.mark.parametrize("face", ["json", "pretty"])
def test_a_traceback_does_not_show_what_the_variables_held(face: str) -> None:
    out = io.StringIO()
    logs.configure(LogsSettings.model_validate({"format": face}), stream=out)
    address = "203.0.113." + str(9)  # in pieces, so that the source line shows it neither
    try:
        address.index("x")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError" in out.getvalue()
    assert "203.0.113.9" not in out.getvalue()


def test_a_full_disk_under_the_log_is_no_reason_to_fail() -> None:
    # Unbuffered, as nothing is left then that closing would have to write.
    with io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True) as full:
        with pytest.raises(OSError, match="No space"):
            full.write("x")
        logs.configure(LogsSettings(format="json"), stream=full)
        structlog.get_logger().error("journal_write_failed", error="no space left")
        logging.getLogger("other").error("the same")
