"""Writes the configuration of an Ignite node from the tables that it holds."""

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
    """The addresses, peers and memory of a node."""

    name: str
    host: str
    """The address it listens on; "" for all addresses of its machine."""
    client_port: int
    discovery_port: int
    communication_port: int
    discovery: Sequence[str]
    """The addresses at which it finds other nodes."""
    memory: int
    backups: int
    security: IgniteSettings | None = None
    """The key for TLS with clients and other nodes; None disables TLS."""

    @property
    def initial_memory(self) -> int:
        """Return the bytes it allocates at start."""
        return min(self.memory, 64 << 20)


def node_xml(node: Node, cassandra: CassandraSettings) -> str:
    """Return the configuration of *node*, which writes durable tables to *cassandra*."""
    return _TEMPLATES.get_template("node.xml").render(
        node=node,
        cassandra=cassandra,
        cassandra_nodes=[parsing.host_and_port(address) for address in cassandra.addresses],
        schema=SCHEMA,
        tables=TABLES,
        behind=_behind,
    )


def elsewhere(settings: Settings) -> str:
    """Return the configuration of a node on another machine, with Ignite's usual ports.

    Raise `Misconfigured` if TLS is on and the node's key stores are not set.
    """
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
    """Return whether writes to *table* are acknowledged before Cassandra has them.

    A node that dies loses what it had not written to Cassandra yet, even if another node has it
    in memory. The job sends lost chunks again; nothing would send other records again.
    """
    return table is CHUNKS
