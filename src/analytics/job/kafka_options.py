"""Builds the options of Spark's Kafka client; files are passed as text, for remote executors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from analytics import tls
from analytics.errors import Misconfigured
from analytics.settings import KafkaSettings

_SCRAM: Final = "scram.ScramLoginModule"
_PLAIN: Final = "plain.PlainLoginModule"


def connection(kafka: KafkaSettings) -> Mapping[str, str]:
    """Map the names of options of Spark's Kafka source to their values. Raises `Misconfigured`."""
    login = bool(kafka.sasl_mechanism)
    channel = "SSL" if kafka.tls else "PLAINTEXT"
    return {
        "kafka.bootstrap.servers": ",".join(kafka.bootstrap),
        "kafka.security.protocol": f"SASL_{channel}" if login else channel,
        **(_channel(kafka) if kafka.tls else {}),
        **(_login(kafka) if login else {}),
    }


def _channel(kafka: KafkaSettings) -> Mapping[str, str]:
    tls.context("kafka", kafka)  # reports a bad file more clearly than Java does
    options = {}
    if not kafka.tls_names:
        options["kafka.ssl.endpoint.identification.algorithm"] = ""
    if kafka.tls_ca is not None:
        options |= {
            "kafka.ssl.truststore.type": "PEM",
            "kafka.ssl.truststore.certificates": kafka.tls_ca.read_text("utf-8"),
        }
    if kafka.tls_certificate is not None:
        options |= {
            "kafka.ssl.keystore.type": "PEM",
            "kafka.ssl.keystore.certificate.chain": kafka.tls_certificate.read_text("utf-8"),
            "kafka.ssl.keystore.key": _key(kafka, kafka.tls_key or kafka.tls_certificate),
        }
    return options


def _key(kafka: KafkaSettings, path: Path) -> str:
    """Return the private key in *path* in the form Java's client reads: PKCS #8, unencrypted.

    The client opens some encrypted keys, but not those in OpenSSL's own format.
    """
    pem, password = path.read_bytes(), kafka.tls_key_password.get_secret_value().encode()
    try:
        try:
            key = serialization.load_pem_private_key(pem, password or None)
        except TypeError:  # a password is set, but the key is not encrypted
            key = serialization.load_pem_private_key(pem, None)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise Misconfigured(f"kafka.tls_key: {path} can't be read: {exc}") from exc
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _login(kafka: KafkaSettings) -> Mapping[str, str]:
    module = _PLAIN if kafka.sasl_mechanism == "PLAIN" else _SCRAM
    return {
        "kafka.sasl.mechanism": kafka.sasl_mechanism,
        "kafka.sasl.jaas.config": (
            f"org.apache.kafka.common.security.{module} required"
            f" username={_quoted(kafka.username)}"
            f" password={_quoted(kafka.password.get_secret_value())};"
        ),
    }


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
