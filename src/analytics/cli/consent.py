"""Asks for confirmation before something that cannot be undone."""

from __future__ import annotations

import sys

import click

YES = click.option("--yes", is_flag=True, help="Do not ask.")


class Declined(Exception):
    """The user answered no."""


def must_ask(*, yes: bool) -> bool:
    """Return whether to ask. Raise `click.UsageError` without a terminal to ask on."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(
            "this cannot be undone, and there is no terminal to ask at; give --yes"
        )
    return not yes


def ask(question: str) -> None:
    """Return after a yes. Raise `Declined` after a no."""
    if not click.confirm(question, err=True):
        raise Declined
