"""The table of top-level commands: the help of each in one line, and its module.

The list of commands is printed from this table, so that neither it nor any command imports what the
others need.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, NamedTuple

import click


class ListedCommand(NamedTuple):
    """A command that is imported when somebody runs it, or asks for its own help."""

    summary: str
    module: str
    attribute: str

    def load(self) -> click.Command:
        """Import the command."""
        command: click.Command = getattr(import_module(self.module), self.attribute)
        return command


COMMANDS: Final = {
    "serve": ListedCommand("Start the server.", "analytics.cli.serve", "serve"),
    "site": ListedCommand("Add, list, change and remove sites.", "analytics.cli.sites", "site"),
    "user": ListedCommand(
        "Add, change, list and remove people who log in.", "analytics.cli.users", "user"
    ),
    "key": ListedCommand("Create, list and revoke API keys.", "analytics.cli.keys", "key"),
    "goal": ListedCommand(
        "Add, list, change and remove goals: what you want visitors of a site to do.",
        "analytics.cli.goals",
        "goal",
    ),
    "segment": ListedCommand(
        "Add, list, change and remove segments: filters of a site, saved under a name.",
        "analytics.cli.segments",
        "segment",
    ),
    "link": ListedCommand(
        "Create, list and revoke links that open a site's report without a login.",
        "analytics.cli.links",
        "link",
    ),
    "import": ListedCommand(
        "Bring in past visitors: an access log, or figures of another product.",
        "analytics.cli.importing",
        "import_",
    ),
    "export": ListedCommand("Write a site's events to a file.", "analytics.cli.data", "export"),
    "export-now": ListedCommand(
        "Run the scheduled export at once, to exports.target.",
        "analytics.cli.export_now",
        "export_now",
    ),
    "sql": ListedCommand(
        "Answer STATEMENT, one SELECT (else standard input), about events, visits and cells.",
        "analytics.cli.sql",
        "sql",
    ),
    "mcp": ListedCommand(
        "Let an assistant ask for figures, by MCP on standard input and output.",
        "analytics.cli.mcp",
        "mcp",
    ),
    "erase": ListedCommand(
        "Delete events of one visitor, of certain visits or of a site for good.",
        "analytics.cli.data",
        "erase",
    ),
    "rebuild": ListedCommand(
        "Decide stored events again by today's rules, and show which figures change.",
        "analytics.cli.rebuild",
        "rebuild",
    ),
    "backup": ListedCommand(
        "Copy everything into FILE, also while the server runs.", "analytics.cli.data", "backup"
    ),
    "restore": ListedCommand(
        "Make a data folder out of the backup FILE.", "analytics.cli.data", "restore"
    ),
    "audit": ListedCommand(
        "Prove that every hit is accounted for.", "analytics.cli.health", "audit"
    ),
    "audit-log": ListedCommand(
        "Show who changed what, and who logged in, the newest first.",
        "analytics.cli.audit_log",
        "audit_log",
    ),
    "doctor": ListedCommand(
        "Show what is set, from where, and what is wrong.", "analytics.cli.health", "doctor"
    ),
    "cluster": ListedCommand(
        "Try cluster mode on this machine: Kafka, Spark, Ignite, Cassandra.",
        "analytics.cli.cluster",
        "cluster",
    ),
    "discover": ListedCommand(
        "Keep HAProxy's servers equal to the replicas in the registry.",
        "analytics.cli.discover",
        "discover",
    ),
    "spark-job": ListedCommand(
        "Fold a cluster's log into chunks, until SIGTERM.", "analytics.cli.spark_job", "spark_job"
    ),
}
"""By name, in the order of use."""
