"""Cassandra that lets in only whom it knows: what works, and what is said when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.authority import Authority

from analytics.errors import AnalyticsError, Misconfigured, StoreUnavailable
from analytics.localcluster import keyspace
from analytics.settings import CassandraSettings
from analytics.store.chunks.cassandra import CassandraChunks

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def ask(settings: CassandraSettings) -> dict[str, int]:
    kept = CassandraChunks(settings)
    try:
        return kept.rows(["nothing"])
    finally:
        kept.close()


def test_with_password_and_certificate_we_are_let_in(secured_cassandra: CassandraSettings) -> None:
    assert ask(secured_cassandra) == {}
    assert keyspace.ask(secured_cassandra)


WRONG: Mapping[str, tuple[Mapping[str, object], type[AnalyticsError], str]] = {
    "password": (
        {"password": SecretStr("wrong")},
        Misconfigured,
        r"does not know us: see cassandra\.username",
    ),
    "no login": ({"username": ""}, Misconfigured, r"does not know us: see cassandra\.username"),
    "plain": ({"tls": False}, Misconfigured, r"speaks TLS, and cassandra\.tls is false"),
    "no certificate": (
        {"tls_certificate": None, "tls_key": None},
        Misconfigured,
        r"asks for a certificate of ours: set cassandra\.tls_certificate",
    ),
    "key's password": (
        {"tls_key_password": SecretStr("wrong")},
        Misconfigured,
        r"cassandra\.tls_key_password: they can't be used together",
    ),
    "keyspace": (
        {"keyspace": "other"},
        StoreUnavailable,
        r"using keyspace 'other'; `analytics cluster config cassandra` prints what makes it",
    ),
    "nobody": ({"addresses": ("127.0.0.1:1",)}, StoreUnavailable, r"does not answer"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(secured_cassandra: CassandraSettings, case: str) -> None:
    changes, error, said = WRONG[case]
    with pytest.raises(error, match=said) as caught:
        ask(secured_cassandra.model_copy(update=changes))
    print(f"{case}: {caught.value}")


def test_an_untrusted_ca_and_another_name_are_named(
    secured_cassandra: CassandraSettings, tmp_path: Path
) -> None:
    strange = secured_cassandra.model_copy(update={"tls_ca": Authority(tmp_path).ca})
    with pytest.raises(Misconfigured, match=r"can't vouch for .*set cassandra\.tls_ca"):
        ask(strange)
    port = secured_cassandra.addresses[0].rpartition(":")[2]
    named = secured_cassandra.model_copy(update={"addresses": (f"127.0.0.2:{port}",)})
    with pytest.raises(StoreUnavailable):  # it listens at 127.0.0.1 only
        ask(named)


def test_what_we_may_not_do_is_named(secured_cassandra: CassandraSettings) -> None:
    with pytest.raises(Misconfigured, match=r"denies analytics a permission we need"):
        keyspace.ensure(secured_cassandra.model_copy(update={"keyspace": "not_ours"}))
