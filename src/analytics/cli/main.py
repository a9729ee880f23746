"""The entry point of the command: its groups, one-line errors, and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import click

from analytics import __version__
from analytics.cli.command_list import COMMANDS
from analytics.cli.consent import Declined
from analytics.cli.options import common
from analytics.cli.output import echo
from analytics.errors import AnalyticsError, Invalid, Misconfigured, Unavailable

DONE: Final = 0
NO: Final = 1
WRONG_USAGE: Final = 2
TRY_AGAIN: Final = 3
INTERRUPTED: Final = 130


class Commands(click.Group):
    """All commands in the order of use, each imported when it is run; names the nearest one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command *cmd_name*; None when there is none."""
        listed = COMMANDS.get(cmd_name)
        return listed.load() if listed else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help of each command, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.summary) for name, listed in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else "analytics --help lists all"
            ctx.fail(f"{name} is not a command; {hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command works whether or not a server runs on the folder.",
)
@common
@click.version_option(__version__, message="analytics %(version)s")
def analytics() -> None:
    """Visitor analytics whose figures can be trusted.

    \b
    analytics serve                      start the server, with the dashboard at 127.0.0.1:8000
    analytics site add example.com       track a site
    analytics import access-log FILE --site example.com
                                         bring in the visitors of before
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 done, 1 no, 2 wrong usage, 3 try again."""
    # What is written holds people's secrets and visitors' events, wherever it is written to.
    os.umask(0o077)
    try:
        result = analytics.main(arguments, prog_name="analytics", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        echo(exc.ctx.get_help() if exc.ctx else "")
        return WRONG_USAGE
    except click.UsageError as exc:
        return _fail(_usage(exc), WRONG_USAGE)
    except click.ClickException as exc:
        return _fail(exc.format_message(), WRONG_USAGE)
    except Declined:
        return _fail("nothing was changed", NO)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except (BrokenPipeError, SystemExit):
        # The reader of our output has seen enough (click exits for that, and for nothing else).
        sys.stderr.close()
        return DONE
    except AnalyticsError as exc:
        return _fail(str(exc), exit_code(exc))
    return result if isinstance(result, int) else DONE


def exit_code(error: AnalyticsError) -> int:
    """Return the exit code of a command that failed with *error*."""
    if isinstance(error, Invalid | Misconfigured):
        return WRONG_USAGE
    return TRY_AGAIN if isinstance(error, Unavailable) else NO


def _usage(error: click.UsageError) -> str:
    message = " ".join(error.format_message().split())
    path = error.ctx.command_path.removeprefix("analytics").strip() if error.ctx else ""
    help_ = f"analytics {path} --help".replace("  ", " ")
    return f"{path}: {message} ({help_})" if path else message


def _fail(message: str, code: int) -> int:
    echo(f"analytics: {' '.join(message.split())}", err=True)
    return code
