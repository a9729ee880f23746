"""The configuration of an Ignite node, written from the tables that it is to hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import jinja2

from analytics import parsing
from analytics.errors import Misconfigured
from analytics.settings import CassandraSettings, IgniteSettings, Settings
from analytics.store.ignite.tables import CHUNKS, SCHEMA, TABLES, Table

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)


class Node(NamedTuple):
    """Where a node listens, whom it knows, how much it holds."""

    name: str
    host: str
    """The one address that it uses; "" for all of its machine."""
    client_port: int
    discovery_port: int
    communication_port: int
    discovery: Sequence[str]
    """Where it looks for other nodes."""
    memory: int
    backups: int
    security: IgniteSettings | None = None
    """With which key it speaks TLS, to clients as to other nodes; None: it does not."""

    @property
    def initial_memory(self) -> int:
        """What it takes at once."""
        return min(self.memory, 64 << 20)


def node_xml(node: Node, cassandra: CassandraSettings) -> str:
    """The configuration of *node*, which keeps what must last in *cassandra*."""
    return _TEMPLATES.get_template("node.xml").render(
        node=node,
        cassandra=cassandra,
        cassandra_nodes=[parsing.host_and_port(address) for address in cassandra.addresses],
        schema=SCHEMA,
        tables=TABLES,
        behind=_behind,
    )


def elsewhere(settings: Settings) -> str:
    """The configuration of a node that does not run here, on its usual ports."""
    ignite = settings.ignite
    if ignite.tls and (ignite.node_keystore is None or ignite.node_truststore is None):
        raise Misconfigured(
            "ignite.tls is set, and a node speaks TLS only with a key and certificates of its"
            " own: set ignite.node_keystore and ignite.node_truststore"
        )
    hosts = [parsing.host_and_port(address)[0] for address in ignite.addresses]
    node = Node(
        name="analytics",
        host="",
        client_port=parsing.host_and_port(ignite.addresses[0])[1],
        discovery_port=47500,
        communication_port=47100,
        discovery=[parsing.address(host, 47500) for host in hosts],
        memory=settings.cluster.ignite_memory,
        backups=ignite.backups,
        security=ignite if ignite.tls else None,
    )
    return node_xml(node, settings.cassandra)


def _behind(table: Table) -> bool:
    """Whether a write of *table* need not wait for Cassandra.

    A node that dies takes with it what it had not written yet, though another node has it in
    memory. Of chunks the job knows, and puts them back; of everything else nobody would.
    """
    return table is CHUNKS
