"""What Spark is told of Kafka: everything as text, in the forms that Java reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr
from tests.authority import Authority

from analytics.errors import Misconfigured
from analytics.job.kafka_options import connection
from analytics.settings import KafkaSettings


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_without_tls_and_login_there_is_nothing_of_either() -> None:
    assert connection(KafkaSettings(bootstrap=("a:1", "b:2"))) == {
        "kafka.bootstrap.servers": "a:1,b:2",
        "kafka.security.protocol": "PLAINTEXT",
    }


def test_a_password_can_not_break_out_of_its_quotes() -> None:
    told = connection(
        KafkaSettings(sasl_mechanism="PLAIN", username="u", password=SecretStr('p" x="\\'))
    )
    assert told["kafka.security.protocol"] == "SASL_PLAINTEXT"
    assert told["kafka.sasl.jaas.config"].endswith(
        'plain.PlainLoginModule required username="u" password="p\\" x=\\"\\\\";'
    )


def test_names_are_checked_unless_they_are_not_to_be(authority: Authority) -> None:
    name = "kafka.ssl.endpoint.identification.algorithm"
    assert name not in connection(KafkaSettings(tls=True, tls_ca=authority.ca))
    assert connection(KafkaSettings(tls=True, tls_ca=authority.ca, tls_names=False))[name] == ""


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
@pytest.mark.parametrize("password", ["", "of the key"])
def test_a_key_of_any_form_becomes_one_that_java_reads(
    authority: Authority, tmp_path: Path, form: str, password: str
) -> None:
    us = authority.issue("us", "analytics")
    key = serialization.load_pem_private_key(us.key.read_bytes(), None)
    path = tmp_path / "our.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            getattr(serialization.PrivateFormat, form),
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption(),
        )
    )
    settings = KafkaSettings(
        tls=True,
        tls_ca=authority.ca,
        tls_certificate=us.certificate,
        tls_key=path,
        tls_key_password=SecretStr(password),
    )
    told = connection(settings)
    assert told["kafka.ssl.keystore.key"] == us.key.read_text()
    assert told["kafka.ssl.keystore.certificate.chain"] == us.certificate.read_text()
    assert told["kafka.ssl.truststore.certificates"] == authority.ca.read_text()
    if password:
        with pytest.raises(Misconfigured, match="tls_key_password"):
            connection(settings.model_copy(update={"tls_key_password": SecretStr("wrong")}))


def test_a_key_and_its_certificate_may_be_one_file(authority: Authority) -> None:
    us = authority.issue("both", "analytics")
    told = connection(KafkaSettings(tls=True, tls_ca=authority.ca, tls_certificate=us.both))
    assert told["kafka.ssl.keystore.key"] == us.key.read_text()
    assert us.certificate.read_text() in told["kafka.ssl.keystore.certificate.chain"]
