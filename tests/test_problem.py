"""An error is told, and read back, in one way, whoever tells whom."""

from __future__ import annotations

import msgspec
import pytest

from analytics import errors, problem
from analytics.cli.main import exit_code
from analytics.control import protocol
from analytics.errors import AnalyticsError, Malformed, TooMany, Unavailable

KINDS = [kind for kind in errors.kinds() if "code" in vars(kind)]
"""Without those that share the code, and so the meaning, of the class that they derive from."""


def example(kind: type[AnalyticsError]) -> AnalyticsError:
    if issubclass(kind, Malformed):
        return kind("limit", "it is: too large")
    return kind("say what to do")


def test_all_kinds_are_known() -> None:
    assert len(KINDS) >= 21
    assert len({kind.code for kind in KINDS}) >= 21


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_comes_back_as_what_it_was(kind: type[AnalyticsError]) -> None:
    error = example(kind)
    known = problem.restore(msgspec.json.decode(problem.encode(error), type=problem.Problem))
    assert isinstance(error, type(known))
    assert (known.code, known.status, str(known)) == (error.code, error.status, str(error))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_command_exits_alike_with_and_without_a_server(kind: type[AnalyticsError]) -> None:
    error = example(kind)
    reply = protocol.reply(protocol.error_line(error))
    assert reply.error is not None
    assert exit_code(problem.restore(reply.error)) == exit_code(error)


def test_a_code_of_another_version_is_an_error_all_the_same() -> None:
    known = problem.restore(problem.Problem(error="what is new", code="not_invented_yet"))
    assert (type(known), str(known)) == (AnalyticsError, "what is new")


@pytest.mark.parametrize("seconds", [0, 0.2, 1, 1.4, 2.5, 59.01])
def test_nobody_is_told_to_come_back_too_early(seconds: float) -> None:
    for error in (TooMany("slow", retry_after=seconds), Unavailable("gone", retry_after=seconds)):
        ((name, value),) = problem.headers(error)
        assert name == "retry-after"
        assert seconds <= int(value) < seconds + 1 or (seconds == 0 and value == "1")
