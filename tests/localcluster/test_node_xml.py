"""An Ignite node's configuration follows the tables."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr

from analytics.errors import Misconfigured
from analytics.localcluster import keyspace
from analytics.localcluster.node_xml import elsewhere
from analytics.settings import CassandraSettings, IgniteSettings, Settings
from analytics.store.ignite.tables import CHUNKS, TABLES, Table

BEANS = "{http://www.springframework.org/schema/beans}"
UTIL = "{http://www.springframework.org/schema/util}"


def caches(settings: Settings) -> dict[str, ET.Element]:
    root = ET.fromstring(elsewhere(settings))
    found = {}
    for bean in root.iter(f"{BEANS}bean"):
        if bean.get("class") == "org.apache.ignite.configuration.CacheConfiguration":
            found[value(bean, "name")] = bean
    return found


def value(bean: ET.Element, name: str) -> str:
    (one,) = [each for each in bean.findall(f"{BEANS}property") if each.get("name") == name]
    return one.get("value") or ""


def names(bean: ET.Element) -> set[str | None]:
    return {each.get("name") for each in bean.findall(f"{BEANS}property")}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_a_field_and_if_durable_a_column_of_cassandra(table: Table) -> None:
    cache = caches(Settings())[table.name]
    fields = [(entry.get("key"), entry.get("value")) for entry in cache.iter(f"{BEANS}entry")]
    columns = [(column.name, column.kind.java) for column in (table.key, *table.columns)]
    assert fields == columns
    stored = [
        [argument.get("value") for argument in bean]
        for bean in cache.iter(f"{BEANS}bean")
        if (bean.get("class") or "").endswith(".JdbcTypeField")
    ]
    if table.durable:
        assert stored == [
            [str(column.kind.jdbc), column.name, column.kind.java, column.name]
            for column in (table.key, *table.columns)
        ]
        assert value(cache, "writeThrough") == "true"
        assert ("writeBehindEnabled" in names(cache)) == (table is CHUNKS)
    else:
        assert stored == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_index_is_declared(table: Table) -> None:
    cache = caches(Settings())[table.name]
    indexes = [tuple(part.text for part in each) for each in cache.iter(f"{UTIL}list")]
    assert indexes == list(table.indexes)


def test_what_a_person_set_can_not_break_out_of_the_text() -> None:
    hostile = 'p"><bean/>&'
    settings = Settings(
        cassandra=CassandraSettings(username="u", password=SecretStr(hostile)),
        ignite=IgniteSettings(addresses=("10.0.0.1:10800", "10.0.0.2:10800"), backups=2),
    )
    root = ET.fromstring(elsewhere(settings))
    values = {each.get("value") for each in root.iter(f"{BEANS}property")}
    assert hostile in values
    assert {each.text for each in root.iter(f"{BEANS}value")} >= {
        "10.0.0.1:47500",
        "10.0.0.2:47500",
    }
    assert value(caches(settings)["chunks"], "backups") == "2"


def test_a_node_speaks_tls_with_a_key_of_its_own_to_whoever_has_a_certificate() -> None:
    plain = elsewhere(Settings())
    assert "SslContextFactory" not in plain
    assert "sslEnabled" not in plain
    with pytest.raises(Misconfigured, match=r"set ignite\.node_keystore and"):
        elsewhere(Settings(ignite=IgniteSettings(tls=True)))
    ignite = IgniteSettings(
        tls=True,
        node_keystore=Path("/etc/ignite/node.p12"),
        node_truststore=Path("/etc/ignite/trust.p12"),
        node_password=SecretStr("of<the>stores"),
    )
    root = ET.fromstring(elsewhere(Settings(ignite=ignite, cassandra=CassandraSettings(tls=True))))
    beans = {bean.get("class"): bean for bean in root.iter(f"{BEANS}bean")}
    stores = beans["org.apache.ignite.ssl.SslContextFactory"]
    assert value(stores, "keyStoreFilePath") == "/etc/ignite/node.p12"
    assert value(stores, "trustStoreFilePath") == "/etc/ignite/trust.p12"
    assert value(stores, "keyStorePassword") == "of<the>stores"
    clients = beans["org.apache.ignite.configuration.ClientConnectorConfiguration"]
    assert value(clients, "sslClientAuth") == value(clients, "sslEnabled") == "true"
    behind = beans["com.ing.data.cassandra.jdbc.CassandraDataSource"]
    assert value(behind, "hostnameVerified") == value(behind, "sslEnabled") == "true"


def test_the_keyspace_has_a_table_for_each_durable_one() -> None:
    made = "\n".join(keyspace.statements(CassandraSettings(keyspace="other", replication=3)))
    assert "CREATE KEYSPACE IF NOT EXISTS other" in made
    assert "'datacenter1': 3" in made
    for table in TABLES:
        assert (f"TABLE IF NOT EXISTS other.{table.name} " in made) == table.durable
