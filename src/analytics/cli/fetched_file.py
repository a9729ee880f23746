"""Moves a file that waits in the data folder to where the command should write it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click


def fetch(waiting: Path, output: Path | None) -> None:
    """Move the file *waiting* in the data folder to *output*, or write it to standard output."""
    try:
        with _told_of_errors(output):
            if output is None:
                with waiting.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
            else:
                shutil.move(waiting, output)
    finally:
        waiting.unlink(missing_ok=True)


def write(content: bytes, output: Path | None) -> None:
    """Write *content* to *output*, or to standard output."""
    with _told_of_errors(output):
        if output is None:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            output.write_bytes(content)


@contextmanager
def _told_of_errors(output: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if isinstance(exc, BrokenPipeError):
            raise
        raise click.ClickException(f"{output}: cannot be written: {exc.strerror}") from exc
