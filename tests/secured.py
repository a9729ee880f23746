"""Servers that speak TLS and ask for logins: as somebody runs them who lets nobody else in."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest
from pydantic import SecretStr
from tests.authority import STORE_PASSWORD, Authority, Identity
from tests.real import PATIENCE_S, SMALL

from analytics.errors import AnalyticsError, LogUnavailable
from analytics.localcluster import jars, keyspace
from analytics.localcluster.base import ManagedServer
from analytics.localcluster.cassandra import CassandraNode as CassandraServer
from analytics.localcluster.ignite import IgniteNode as IgniteServer
from analytics.localcluster.jars import Jars
from analytics.localcluster.kafka import KafkaBroker as KafkaServer
from analytics.localcluster.plan import HOST, ClusterPlan, agreed
from analytics.localcluster.process import LaunchCommand, ManagedProcesses
from analytics.settings import CassandraSettings, IgniteSettings, KafkaSettings, Settings
from analytics.store.chunks import cql
from analytics.store.chunks.ignite import IgniteChunks

USER: Final = "analytics"
PASSWORD: Final = 'p"a\\s <&> s'
"""With what quoting gets wrong."""
SCRAM_PASSWORD: Final = "another one"
KEY_PASSWORD: Final = "of the key"


class SecuredKafka(KafkaServer):
    """A broker with three more listeners: SASL over TLS, SASL in the clear, TLS with certificates.

    Who comes by one of them may do only what it was allowed to.
    """

    def __init__(
        self, plan: ClusterPlan, folder: Path, identity: Identity, authority: Authority
    ) -> None:
        super().__init__(
            plan,
            1,
            folder,
            java=jars.located(SMALL.java),
            jars=_jars("kafka"),
            heap=SMALL.kafka_heap,
        )
        self._identity = identity
        self._authority = authority

    def _properties(self) -> str:
        quoted = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
        modules = "org.apache.kafka.common.security"
        plain = f'{modules}.plain.PlainLoginModule required user_{USER}="{quoted}";'
        scram = f"{modules}.scram.ScramLoginModule required;"
        more = {"SASL_SSL": sasl_port(self._plan), "SSL": mutual_port(self._plan)}
        lines = []
        for line in super()._properties().splitlines():
            name = line.partition("=")[0]
            if name in ("listeners", "advertised.listeners"):
                line += "".join(f",{each}://{HOST}:{port}" for each, port in more.items())
            if name == "listener.security.protocol.map":
                line += "".join(f",{each}:{each}" for each in more)
            lines.append(line)
        return "\n".join(
            [
                *lines,
                "ssl.keystore.type=PEM",
                f"ssl.keystore.location={self._identity.both}",
                "ssl.truststore.type=PEM",
                f"ssl.truststore.location={self._authority.ca}",
                "listener.name.ssl.ssl.client.auth=required",
                "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
                f"listener.name.sasl_ssl.plain.sasl.jaas.config={_escaped(plain)}",
                f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}",
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users=User:ANONYMOUS",
                "ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/",
                "",
            ]
        )

    def _format(self, properties: Path) -> None:
        subprocess.run(
            [
                *self._java_command(128 << 20),
                *("kafka.tools.StorageTool", "format", "-t", "YW5hbHl0aWNzLXNlY3VyZQ"),
                *("-c", str(properties)),
                "--add-scram",
                f'SCRAM-SHA-512=[name="{USER}",password="{SCRAM_PASSWORD}"]',
            ],
            check=True,
            capture_output=True,
            text=True,
        )


class SecuredCassandra(CassandraServer):
    """A node that asks for a password, and for a certificate."""

    def __init__(
        self, plan: ClusterPlan, folder: Path, identity: Identity, authority: Authority
    ) -> None:
        super().__init__(
            plan,
            folder,
            java=jars.located(SMALL.java),
            jars=_jars("cassandra"),
            heap=SMALL.cassandra_heap,
        )
        self._identity = identity
        self._authority = authority

    def _yaml(self) -> str:
        return (
            super()._yaml()
            + f"""\
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
client_encryption_options:
  enabled: true
  optional: false
  store_type: PKCS12
  keystore: {self._identity.keystore}
  keystore_password: {STORE_PASSWORD}
  require_client_auth: true
  truststore: {self._authority.truststore}
  truststore_password: {STORE_PASSWORD}
"""
        )


class SecuredIgnite(IgniteServer):
    """A node that speaks TLS to whoever shows a certificate, and so to its Cassandra."""

    def __init__(self, plan: ClusterPlan, folder: Path, settings: Settings) -> None:
        super().__init__(
            plan,
            1,
            folder,
            java=jars.located(SMALL.java),
            jars=_jars("ignite"),
            heap=SMALL.ignite_heap,
            memory=SMALL.ignite_memory,
            cassandra=settings.cassandra,
        )
        self._ignite = settings.ignite
        self._node = self._node._replace(security=settings.ignite)

    def prepare(self) -> LaunchCommand:
        command = super().prepare()
        stores = {
            "trustStore": self._ignite.node_truststore,
            "trustStorePassword": STORE_PASSWORD,
            "keyStore": self._ignite.node_keystore,
            "keyStorePassword": STORE_PASSWORD,
        }
        java, *rest = command.arguments
        options = [f"-Djavax.net.ssl.{name}={value}" for name, value in stores.items()]
        return LaunchCommand(arguments=[java, *options, *rest], folder=command.folder)


def sasl_port(plan: ClusterPlan) -> int:
    return plan.base + 80


def mutual_port(plan: ClusterPlan) -> int:
    return plan.base + 81


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


def _jars(server: str) -> Path:
    return Jars(SMALL, print).of(server)


class Started:
    """Servers of one folder; they end with the `with` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = agreed(folder, base=0, kafka_nodes=1, ignite_nodes=1)
        self.processes = ManagedProcesses(folder)

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.end([*reversed(self.processes.all())], 30)

    def start(self, server: ManagedServer, ask: Callable[[], object]) -> None:
        """Start *server*, and return when *ask* raises none of our errors any more."""
        process = self.processes.start(server.name, server.prepare())
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                ask()
            except (AnalyticsError, OSError):
                if not process.alive or time.monotonic() > until:
                    print(*self.processes.tail(server.name)[-30:], sep="\n")
                    raise
                time.sleep(0.5)
            else:
                return


@pytest.fixture(scope="session")
def secured_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """What is secured in this run of tests, with nothing started yet."""
    with Started(tmp_path_factory.mktemp("secured")) as started:
        yield started


@pytest.fixture(scope="session")
def authority(secured_servers: Started) -> Authority:
    """Who signed all certificates of secured servers, and ours."""
    return Authority(secured_servers.folder / "authority")


@pytest.fixture(scope="session")
def us(authority: Authority) -> Identity:
    """Who we are, by certificate; its key has the password `KEY_PASSWORD`."""
    return authority.issue(USER, USER, key_password=KEY_PASSWORD)


@pytest.fixture(scope="session")
def server(authority: Authority) -> Identity:
    """Who every server is, by certificate."""
    return authority.issue("server", HOST, "localhost")


@pytest.fixture(scope="session")
def secured_kafka(
    secured_servers: Started, authority: Authority, server: Identity
) -> KafkaSettings:
    """The settings of a broker that asks for a login by PLAIN, over TLS."""
    plan = secured_servers.plan
    inside = KafkaSettings(bootstrap=(f"{HOST}:{plan.kafka(1)}",))
    secured_servers.start(
        SecuredKafka(plan, secured_servers.folder, server, authority),
        lambda: asyncio.run(_allow(inside, "analytics.events", "analytics.dead")),
    )
    return KafkaSettings(
        bootstrap=(f"{HOST}:{sasl_port(plan)}",),
        replication=1,
        min_insync=1,
        partitions=2,
        tls=True,
        tls_ca=authority.ca,
        sasl_mechanism="PLAIN",
        username=USER,
        password=SecretStr(PASSWORD),
    )


def by_scram(settings: KafkaSettings) -> KafkaSettings:
    """*settings* with the other way to log in."""
    return settings.model_copy(
        update={"sasl_mechanism": "SCRAM-SHA-512", "password": SecretStr(SCRAM_PASSWORD)}
    )


def by_certificate(settings: KafkaSettings, plan: ClusterPlan, us: Identity) -> KafkaSettings:
    """*settings* with the port at which a certificate says who we are."""
    return settings.model_copy(
        update={
            "bootstrap": (f"{HOST}:{mutual_port(plan)}",),
            "sasl_mechanism": "",
            "username": "",
            "password": SecretStr(""),
            **shown(us),
        }
    )


def shown(us: Identity) -> dict[str, object]:
    """The settings with which we show our certificate."""
    return {
        "tls_certificate": us.certificate,
        "tls_key": us.key,
        "tls_key_password": SecretStr(KEY_PASSWORD),
    }


@pytest.fixture(scope="session")
def secured_cassandra(
    secured_servers: Started, authority: Authority, server: Identity, us: Identity
) -> CassandraSettings:
    """The settings of a Cassandra that asks for password and certificate; its keyspace is there.

    The user may do what docs/cluster.md says that it needs, and nothing else.
    """
    plan = secured_servers.plan
    settings = CassandraSettings(
        addresses=(f"{HOST}:{plan.cassandra}",),
        replication=1,
        tls=True,
        tls_ca=authority.ca,
        **shown(us),
        username=USER,
        password=SecretStr(PASSWORD),
    )
    root = settings.model_copy(update={"username": "cassandra", "password": SecretStr("cassandra")})
    secured_servers.start(
        SecuredCassandra(plan, secured_servers.folder, server, authority),
        lambda: _admitted(root, settings),
    )
    return settings


def _admitted(root: CassandraSettings, settings: CassandraSettings) -> None:
    keyspace.ensure(root)
    with cql.translated(root):
        cluster = cql.cluster(root)
        try:
            session = cluster.connect()
            session.execute(
                f"CREATE ROLE IF NOT EXISTS {USER} WITH LOGIN = true AND PASSWORD = %s",
                (PASSWORD,),
            )
            for right in ("SELECT", "MODIFY"):
                session.execute(f"GRANT {right} ON KEYSPACE {settings.keyspace} TO {USER}")
        finally:
            cluster.shutdown()


@pytest.fixture(scope="session")
def secured_ignite(
    secured_servers: Started,
    authority: Authority,
    server: Identity,
    us: Identity,
    secured_cassandra: CassandraSettings,
) -> Settings:
    """The settings of an Ignite node that asks for a certificate, with its Cassandra."""
    plan = secured_servers.plan
    settings = Settings(
        cassandra=secured_cassandra,
        ignite=IgniteSettings(
            addresses=(f"{HOST}:{plan.ignite(1)}",),
            backups=0,
            tls=True,
            tls_ca=authority.ca,
            **shown(us),
            node_keystore=server.keystore,
            node_truststore=authority.truststore,
            node_password=SecretStr(STORE_PASSWORD),
        ),
    )
    secured_servers.start(
        SecuredIgnite(plan, secured_servers.folder, settings), lambda: _asked(settings.ignite)
    )
    return settings


def _asked(ignite: IgniteSettings) -> None:
    store = IgniteChunks(ignite)
    try:
        store.partitions()
    finally:
        store.close()


async def _allow(inside: KafkaSettings, *topics: str) -> None:
    """Let our user do what docs/cluster.md says that it needs."""
    cluster, topic = 4, 2
    create, describe, describe_configs, read, write, idempotent_write = 5, 8, 10, 3, 4, 12
    wanted = [(cluster, "kafka-cluster", each) for each in (idempotent_write, describe)]
    for name in topics:
        wanted += [
            (topic, name, each) for each in (create, describe, describe_configs, read, write)
        ]
    host, _, port = inside.bootstrap[0].rpartition(":")
    try:
        connection = await create_conn(host, int(port))
    except KafkaError as exc:
        raise LogUnavailable(str(exc)) from exc
    try:
        for kind, name, operation in wanted:
            reply = await connection.send(
                CreateAclsRequest(kind, name, 3, f"User:{USER}", "*", operation, 3)
            )
            assert [code for code, _ in reply.creation_responses] == [0]
    finally:
        connection.close()
