"""What is said of a port that does not agree on TLS with us, by real TLS servers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.authority import Authority, Identity

from analytics import tls
from analytics.errors import Misconfigured
from analytics.settings import KafkaSettings


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Identity:
    return authority.issue("server", "127.0.0.1")


@contextmanager
def listening(
    context: ssl.SSLContext | None, says: bytes = b"220 not what you think\r\n"
) -> Iterator[str]:
    """A server that says nothing, by TLS of *context*; without one, one that *says* this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                with suppress(OSError), plain:
                    plain.settimeout(5)
                    if context is None:
                        plain.sendall(says)
                        plain.recv(1000)
                        continue
                    with context.wrap_socket(plain, server_side=True) as channel:
                        channel.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def of(identity: Identity, *, asking: Authority | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity.certificate, identity.key)
    if asking is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(asking.ca)
    return context


def test_nothing_is_said_of_a_port_that_agrees(authority: Authority, server: Identity) -> None:
    with listening(of(server)) as address:
        assert tls.check("kafka", KafkaSettings(tls=True, tls_ca=authority.ca), [address]) == ""
    with listening(None) as address:
        assert tls.check("kafka", KafkaSettings(), [address]) == ""
    assert tls.check("kafka", KafkaSettings(tls=True), ["127.0.0.1:1"]) == ""  # nobody is there


def test_a_port_that_breaks_off_is_no_certain_fault() -> None:
    with listening(None, says=b"") as address:
        said = tls.check("kafka", KafkaSettings(tls=True), [address])
    assert "breaks off when TLS begins" in said


def test_a_certificate_that_nobody_vouches_for_is_named(server: Identity, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    with (
        listening(of(server)) as address,
        pytest.raises(Misconfigured, match=r"can't vouch for .* set kafka\.tls_ca to the CA"),
    ):
        tls.check("kafka", KafkaSettings(tls=True, tls_ca=other.ca), [address])


def test_a_certificate_of_another_name_is_named(authority: Authority) -> None:
    elsewhere = authority.issue("elsewhere", "kafka.internal")
    settings = KafkaSettings(tls=True, tls_ca=authority.ca)
    with listening(of(elsewhere)) as address:
        with pytest.raises(Misconfigured, match=r"another name .*kafka\.tls_names = false"):
            tls.check("kafka", settings, [address])
        tls.check("kafka", settings.model_copy(update={"tls_names": False}), [address])


def test_tls_to_a_port_without_it_and_the_other_way_round(
    authority: Authority, server: Identity
) -> None:
    with (
        listening(None) as address,
        pytest.raises(Misconfigured, match=r"does not speak TLS: .*kafka\.tls = false"),
    ):
        tls.check("kafka", KafkaSettings(tls=True, tls_ca=authority.ca), [address])
    with (
        listening(of(server)) as address,
        pytest.raises(Misconfigured, match=r"speaks TLS, and kafka\.tls is false"),
    ):
        tls.check("kafka", KafkaSettings(), [address])


def test_a_server_that_asks_for_our_certificate(
    authority: Authority, server: Identity, tmp_path: Path
) -> None:
    settings = KafkaSettings(tls=True, tls_ca=authority.ca)
    ours = authority.issue("ours", "analytics", key_password="of the key")
    strange = Authority(tmp_path).issue("strange", "analytics")
    with listening(of(server, asking=authority)) as address:
        with pytest.raises(Misconfigured, match=r"asks for a certificate of ours"):
            tls.check("kafka", settings, [address])
        given = settings.model_copy(
            update={"tls_certificate": strange.certificate, "tls_key": strange.key}
        )
        with pytest.raises(Misconfigured, match=r"does not accept our certificate"):
            tls.check("kafka", given, [address])
        given = settings.model_copy(
            update={
                "tls_certificate": ours.certificate,
                "tls_key": ours.key,
                "tls_key_password": SecretStr("of the key"),
            }
        )
        tls.check("kafka", given, [address])


def test_files_that_do_not_fit_are_named_and_nobody_is_asked_for_a_password(
    authority: Authority, tmp_path: Path
) -> None:
    ours = authority.issue("locked", "analytics", key_password="of the key")
    with pytest.raises(Misconfigured, match=r"kafka\.tls_ca: .*nothing\.pem can't be read"):
        tls.context("kafka", KafkaSettings(tls=True, tls_ca=tmp_path / "nothing.pem"))
    with pytest.raises(Misconfigured, match=r"kafka\.tls_key is set and"):
        tls.context("kafka", KafkaSettings(tls=True, tls_key=ours.key))
    with pytest.raises(Misconfigured, match=r"tls_key_password: they can't be used together"):
        tls.context(
            "kafka", KafkaSettings(tls=True, tls_certificate=ours.certificate, tls_key=ours.key)
        )
