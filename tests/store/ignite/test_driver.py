"""Ignite that lets in only who has a certificate, and what it writes behind to such a Cassandra."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.authority import Authority
from tests.real import PATIENCE_S

from analytics.errors import Misconfigured, StoreUnavailable
from analytics.settings import IgniteSettings, Settings
from analytics.store.chunks import codec
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.chunk import RecordSpan
from analytics.store.chunks.ignite import IgniteChunks

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def ask(settings: IgniteSettings) -> list[int]:
    store = IgniteChunks(settings)
    try:
        return store.partitions()
    finally:
        store.close()


def test_what_we_write_by_tls_is_written_behind_by_tls(secured_ignite: Settings) -> None:
    (given,) = codec.pack(7, [RecordSpan(0, 4, {})], (), ())
    store, kept = IgniteChunks(secured_ignite.ignite), CassandraChunks(secured_ignite.cassandra)
    try:
        store.put([given])
        assert store.following(7, 0, 10) == [given]
        until = time.monotonic() + PATIENCE_S
        while given.chunk_id not in kept.rows([given.chunk_id]):
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        store.close()
        kept.close()


def test_a_certificate_that_is_missing_is_suspected(secured_ignite: Settings) -> None:
    """A node hangs up, and does not say why."""
    settings = secured_ignite.ignite.model_copy(update={"tls_certificate": None, "tls_key": None})
    with pytest.raises(StoreUnavailable, match=r"certificate of ours, set ignite\.tls_certificate"):
        ask(settings)


WRONG: Mapping[str, tuple[Mapping[str, object], str]] = {
    "plain": ({"tls": False}, r"speaks TLS, and ignite\.tls is false"),
    "system's certificates": ({"tls_ca": None}, r"can't vouch for .*set ignite\.tls_ca"),
    "key's password": (
        {"tls_key_password": SecretStr("wrong")},
        r"ignite\.tls_key_password: they can't be used together",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(secured_ignite: Settings, case: str) -> None:
    changes, said = WRONG[case]
    with pytest.raises(Misconfigured, match=said) as caught:
        ask(secured_ignite.ignite.model_copy(update=changes))
    print(f"{case}: {caught.value}")


def test_an_untrusted_ca_is_named(secured_ignite: Settings, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"can't vouch for"):
        ask(secured_ignite.ignite.model_copy(update={"tls_ca": Authority(tmp_path).ca}))


def test_a_certificate_of_another_name_is_refused_by_the_driver_itself(
    secured_ignite: Settings,
) -> None:
    port = secured_ignite.ignite.addresses[0].rpartition(":")[2]
    settings = secured_ignite.ignite.model_copy(update={"addresses": (f"127.1:{port}",)})
    with pytest.raises(Misconfigured, match=r"another name .*ignite\.tls_names = false"):
        ask(settings)
    assert ask(settings.model_copy(update={"tls_names": False})) is not None


def test_what_has_worked_is_only_unavailable(secured_ignite: Settings, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(secured_ignite.ignite.tls_ca.read_bytes())
    store = IgniteChunks(secured_ignite.ignite.model_copy(update={"tls_ca": ca}))
    try:
        store.partitions()
        ca.write_bytes(Authority(tmp_path / "other").ca.read_bytes())
        store._client.close()  # as after a node's restart
        with pytest.raises(StoreUnavailable, match=r"can't vouch for"):
            store.partitions()
        ca.write_bytes(secured_ignite.ignite.tls_ca.read_bytes())
        store.partitions()
    finally:
        store.close()
