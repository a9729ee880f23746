"""The question before something that cannot be undone."""

from __future__ import annotations

import sys

import click

YES = click.option("--yes", is_flag=True, help="Do not ask.")


def must_ask(*, yes: bool) -> bool:
    """Whether a person is to be asked. Raises `click.UsageError` when nobody is there to answer."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("this cannot be undone, and nobody is here to ask; give --yes")
    return not yes


def ask(question: str) -> None:
    """Go on only after a yes."""
    click.confirm(question, abort=True, err=True)
