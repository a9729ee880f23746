"""Explains that a command and the server are of different versions, and which is older."""

from __future__ import annotations

import re
from typing import Final

from analytics import __version__
from analytics.errors import AnalyticsError, Malformed, Misconfigured, NotFound

_NUMBER: Final = re.compile(r"\d+")


def is_misunderstanding(operation: str, error: AnalyticsError) -> bool:
    """Return whether *error* means that the server lacks *operation* or one of its parameters."""
    if isinstance(error, Malformed):
        return not error.field and error.reason.startswith(f"{operation}: ")
    return isinstance(error, NotFound) and str(error).startswith(
        f"{operation} is not an operation of this server"
    )


def differ(server: str | None) -> Misconfigured:
    """Return the error that says which side is older; *server* is its version, if it said so."""
    if server is None:
        return Misconfigured(
            "the server that owns this data folder is of another version than this command"
            f" ({__version__}); restart the server with the version that is installed now"
        )
    versions = f"the server that owns this data folder is of version {server}"
    if _order(server) > _order(__version__):
        return Misconfigured(
            f"{versions}, and this command is older ({__version__}); update what this command is"
            " installed in, or use the command of the server's installation"
        )
    older = "older than" if _order(server) < _order(__version__) else "of another build than"
    return Misconfigured(
        f"{versions}, {older} this command ({__version__}), and does not know what it asks for;"
        " restart the server, so that it runs what is installed now"
    )


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBER.findall(version)[:3])
