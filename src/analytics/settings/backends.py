"""The settings of a cluster's servers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr, field_validator

from analytics import parsing
from analytics.settings.section import GIB, MIB, Bytes, OptionalPath, Section, parts, setting
from analytics.settings.tls import TlsSettings


def _addresses(value: object) -> object:
    """Convert addresses as people write them; each must be `host:port`."""
    value = parts(value)
    if isinstance(value, list | tuple):
        for part in value:
            parsing.host_and_port(str(part))
    return value


Addresses = Annotated[tuple[str, ...], BeforeValidator(_addresses)]


class LogSettings(Section):
    """The log, in which a hit becomes durable."""

    backend: Literal["journal", "kafka"] = setting(
        "journal", "journal on this machine's disk, or kafka."
    )
    spool_after_s: float = setting(
        2,
        "Time for Kafka to confirm hits, after which they are spooled to disk.",
        unit="seconds",
        gt=0,
    )
    retry_after_s: float = setting(
        5, "How long to wait after a failure before Kafka is called again.", unit="seconds", gt=0
    )


class KafkaSettings(TlsSettings):
    """The log of a cluster."""

    bootstrap: Addresses = setting(
        ("127.0.0.1:9092",),
        "Bootstrap brokers, from which the client learns of the others.",
        min_length=1,
    )
    topic: str = setting("analytics.events", "Topic of hits; created if missing.")
    dead_topic: str = setting("analytics.dead", "Topic of records that could not be decoded.")
    partitions: int = setting(
        8, "Partitions of a topic that is created; cannot be changed later.", ge=1, le=64
    )
    replication: int = setting(3, "Replication factor of a topic that is created.", ge=1, le=32767)
    min_insync: int = setting(
        2, "Replicas that must have a hit before it is acknowledged.", ge=1, le=32767
    )
    retention_h: int = setting(
        168,
        "Minimum retention of the topic; a topic with less is refused.",
        unit="hours",
        ge=1,
    )
    compression: Literal["none", "gzip", "lz4", "zstd"] = setting(
        "zstd", "Compression of batches: none, gzip, lz4, zstd."
    )
    linger_ms: float = setting(
        5, "How long to collect hits into a batch before it is sent.", unit="milliseconds", ge=0
    )
    max_in_flight_bytes: Bytes = setting(
        32 * MIB,
        "Maximum size of unconfirmed hits; beyond it, new hits are spooled.",
        unit="bytes",
    )
    append_timeout_s: float = setting(10, "Timeout of an append.", unit="seconds", gt=0)
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "", "SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; empty disables authentication."
    )
    username: str = setting("", "SASL user name.")
    password: SecretStr = setting(SecretStr(""), "The password of kafka.username.")


class IgniteSettings(TlsSettings):
    """The shared memory of a cluster."""

    addresses: Addresses = setting(
        ("127.0.0.1:10800",), "Nodes to connect to (thin client port).", min_length=1
    )
    timeout_s: float = setting(5, "Timeout of a call.", unit="seconds", gt=0)
    retry_after_s: float = setting(
        2, "How long to wait after a failure before Ignite is called again.", unit="seconds", gt=0
    )
    max_calls: int = setting(8, "Maximum concurrent calls; further calls are rejected.", ge=1)
    hot_days: int = setting(
        0,
        "How long chunks stay in Ignite's memory; older ones are read from Cassandra. 0: forever.",
        unit="days",
        ge=0,
    )
    backups: int = setting(1, "Backup copies of all data on other nodes.", ge=0, le=3)
    username: str = setting("", "User name, where Ignite authenticates its clients.")
    password: SecretStr = setting(SecretStr(""), "The password of ignite.username.")
    node_keystore: OptionalPath = setting(
        None,
        "Key and certificate (PKCS #12) of a node itself, for its configuration.",
    )
    node_truststore: OptionalPath = setting(
        None,
        "Certificates (PKCS #12) that a node trusts: those of other nodes, and of this server.",
    )
    node_password: SecretStr = setting(SecretStr(""), "The password of both of a node's stores.")


class CassandraSettings(TlsSettings):
    """The disk of a cluster, behind Ignite."""

    addresses: Addresses = setting(("127.0.0.1:9042",), "Nodes to connect to.", min_length=1)
    keyspace: str = setting("analytics", "Keyspace; created if missing.")
    datacenter: str = setting("datacenter1", "Data center whose nodes to connect to.")
    timeout_s: float = setting(10, "Timeout of a call.", unit="seconds", gt=0)
    retry_after_s: float = setting(
        5,
        "How long to wait after a failure before Cassandra is called.",
        unit="seconds",
        gt=0,
    )
    max_calls: int = setting(4, "Maximum concurrent calls; further calls are rejected.", ge=1)
    replication: int = setting(3, "Replication factor of a keyspace that is created.", ge=1)
    username: str = setting("", "User name, where Cassandra authenticates its clients.")
    password: SecretStr = setting(SecretStr(""), "The password of cassandra.username.")

    @field_validator("keyspace")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not (value.isascii() and value.isidentifier() and value == value.lower()):
            raise ValueError("use lower-case letters, digits and _ only")
        return value


class ClusterSettings(Section):
    """The servers that `analytics cluster up` starts on this machine."""

    port_base: int = setting(
        19000, "First of the hundred ports that they use; 0 picks free ones.", ge=0, le=65400
    )
    kafka_heap: Bytes = setting(384 * MIB, "Java heap of each Kafka broker.", unit="bytes")
    cassandra_heap: Bytes = setting(768 * MIB, "Java heap of Cassandra.", unit="bytes")
    ignite_heap: Bytes = setting(512 * MIB, "Java heap of each Ignite node.", unit="bytes")
    ignite_memory: Bytes = setting(
        768 * MIB, "Memory for data in each Ignite node.", unit="bytes", ge=64 * MIB
    )
    spark_memory: Bytes = setting(1 * GIB, "Java heap of the Spark job.", unit="bytes")
    java: str = setting("java", "The command of Java 17.")
    haproxy: str = setting("haproxy", "The command of HAProxy, in front of the replicas.")
    maven: str = setting("mvn", "The command of Maven, which fetches the servers' jars once.")
    jars: OptionalPath = setting(
        None, "Where the servers' jars are kept; without it, ~/.cache/analytics/jars."
    )
