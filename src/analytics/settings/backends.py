"""The settings of what a cluster is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr, field_validator

from analytics import parsing
from analytics.settings.section import GIB, MIB, Bytes, OptionalPath, Section, parts, setting


def _addresses(value: object) -> object:
    """Addresses as people write them, each checked to be `host:port`."""
    value = parts(value)
    if isinstance(value, list | tuple):
        for part in value:
            parsing.host_and_port(str(part))
    return value


Addresses = Annotated[tuple[str, ...], BeforeValidator(_addresses)]


class LogSettings(Section):
    """Where a hit becomes durable."""

    backend: Literal["journal", "kafka"] = setting(
        "journal", "journal on this machine's disk, or kafka."
    )
    spool_after_s: float = setting(
        2,
        "How long Kafka may take over hits before the journal takes them instead.",
        unit="seconds",
        gt=0,
    )
    retry_after_s: float = setting(
        5, "How long to leave Kafka alone before it is tried again.", unit="seconds", gt=0
    )


class KafkaSettings(Section):
    """The log of a cluster."""

    bootstrap: Addresses = setting(
        ("127.0.0.1:9092",), "Brokers to ask for the others.", min_length=1
    )
    topic: str = setting("analytics.events", "The topic of hits; made when it is not there.")
    dead_topic: str = setting(
        "analytics.dead", "The topic of records that could not be understood."
    )
    partitions: int = setting(
        8, "Partitions of a topic that we make; it can't be changed later.", ge=1, le=64
    )
    replication: int = setting(3, "Copies of every record of a topic that we make.", ge=1, le=32767)
    min_insync: int = setting(
        2, "Copies that must be written before a hit is acknowledged.", ge=1, le=32767
    )
    retention_h: int = setting(
        168,
        "Least time that the topic keeps records; one that keeps less is refused.",
        unit="hours",
        ge=1,
    )
    compression: Literal["none", "gzip", "lz4", "zstd"] = setting(
        "zstd", "How batches are compressed: none, gzip, lz4, zstd."
    )
    linger_ms: float = setting(
        5, "How long to let hits gather before they are sent.", unit="milliseconds", ge=0
    )
    max_in_flight_bytes: Bytes = setting(
        32 * MIB,
        "Hits that Kafka has not confirmed; beyond it, new ones are spooled.",
        unit="bytes",
    )
    append_timeout_s: float = setting(
        10, "Time after which an append without an answer has failed.", unit="seconds", gt=0
    )
    tls: bool = setting(default=False, help_="Whether to speak TLS.")
    tls_ca: OptionalPath = setting(
        None, "Certificates (PEM) that are trusted; without it, the system's."
    )
    tls_names: bool = setting(
        default=True, help_="Whether a server's certificate must have the name that we call it by."
    )
    tls_certificate: OptionalPath = setting(None, "Our certificate (PEM), where one is asked for.")
    tls_key: OptionalPath = setting(None, "The key (PEM) of our certificate.")
    tls_key_password: SecretStr = setting(SecretStr(""), "The password of the key, if it has one.")
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "", "How we log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; not at all when empty."
    )
    username: str = setting("", "Who we are to Kafka.")
    password: SecretStr = setting(SecretStr(""), "The password of kafka.username.")


class IgniteSettings(Section):
    """The shared memory of a cluster."""

    addresses: Addresses = setting(
        ("127.0.0.1:10800",), "Nodes to talk to (thin client port).", min_length=1
    )
    timeout_s: float = setting(
        5, "Time after which a call without an answer has failed.", unit="seconds", gt=0
    )
    retry_after_s: float = setting(
        2, "How long to leave Ignite alone once it failed.", unit="seconds", gt=0
    )
    max_calls: int = setting(8, "Calls that may be under way at once; one more is refused.", ge=1)
    hot_days: int = setting(
        0,
        "How long chunks stay in Ignite's memory; older ones are read from Cassandra. 0 for ever.",
        unit="days",
        ge=0,
    )
    backups: int = setting(1, "Further copies of everything on other nodes.", ge=0, le=3)
    tls: bool = setting(default=False, help_="Whether to speak TLS.")
    tls_ca: OptionalPath = setting(
        None, "Certificates (PEM) that are trusted; without it, the system's."
    )
    tls_names: bool = setting(
        default=True, help_="Whether a server's certificate must have the name that we call it by."
    )
    tls_certificate: OptionalPath = setting(None, "Our certificate (PEM), where one is asked for.")
    tls_key: OptionalPath = setting(None, "The key (PEM) of our certificate.")
    tls_key_password: SecretStr = setting(SecretStr(""), "The password of the key, if it has one.")
    username: str = setting("", "Who we are to Ignite, where it asks.")
    password: SecretStr = setting(SecretStr(""), "The password of ignite.username.")
    node_keystore: OptionalPath = setting(
        None,
        "Key and certificate (PKCS #12) of a node itself, for its configuration.",
    )
    node_truststore: OptionalPath = setting(
        None, "Certificates (PKCS #12) that a node trusts: of other nodes, and ours."
    )
    node_password: SecretStr = setting(SecretStr(""), "The password of both of a node's stores.")


class CassandraSettings(Section):
    """The disk of a cluster, behind Ignite."""

    addresses: Addresses = setting(("127.0.0.1:9042",), "Nodes to talk to.", min_length=1)
    keyspace: str = setting("analytics", "The keyspace; made when it is not there.")
    datacenter: str = setting("datacenter1", "The data center whose nodes we talk to.")
    timeout_s: float = setting(
        10, "Time after which a call without an answer has failed.", unit="seconds", gt=0
    )
    retry_after_s: float = setting(
        5, "How long to leave Cassandra alone once it failed.", unit="seconds", gt=0
    )
    max_calls: int = setting(4, "Calls that may be under way at once; one more is refused.", ge=1)
    replication: int = setting(3, "Copies of every row of a keyspace that we make.", ge=1)
    tls: bool = setting(default=False, help_="Whether to speak TLS.")
    tls_ca: OptionalPath = setting(
        None, "Certificates (PEM) that are trusted; without it, the system's."
    )
    tls_names: bool = setting(
        default=True, help_="Whether a server's certificate must have the name that we call it by."
    )
    tls_certificate: OptionalPath = setting(None, "Our certificate (PEM), where one is asked for.")
    tls_key: OptionalPath = setting(None, "The key (PEM) of our certificate.")
    tls_key_password: SecretStr = setting(SecretStr(""), "The password of the key, if it has one.")
    username: str = setting("", "Who we are to Cassandra, where it asks.")
    password: SecretStr = setting(SecretStr(""), "The password of cassandra.username.")

    @field_validator("keyspace")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not (value.isascii() and value.isidentifier() and value == value.lower()):
            raise ValueError("give lower-case letters, digits, _ only")
        return value


class ClusterSettings(Section):
    """The servers that `analytics cluster up` starts on this machine."""

    port_base: int = setting(
        19000, "The first of the hundred ports that they use; 0 takes free ones.", ge=0, le=65400
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
