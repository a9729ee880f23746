"""How Spark connects to Kafka: what its client needs, as text, so that executors need no files."""

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
    """The options of Spark's source and sink. Raises `Misconfigured`."""
    login = bool(kafka.sasl_mechanism)
    channel = "SSL" if kafka.tls else "PLAINTEXT"
    return {
        "kafka.bootstrap.servers": ",".join(kafka.bootstrap),
        "kafka.security.protocol": f"SASL_{channel}" if login else channel,
        **(_channel(kafka) if kafka.tls else {}),
        **(_login(kafka) if login else {}),
    }


def _channel(kafka: KafkaSettings) -> Mapping[str, str]:
    tls.context("kafka", kafka)  # says what is wrong with a file better than Java does
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
    """The key in *path* as Java's client reads it: PKCS #8, and without a password of its own.

    It would take some that have one; others, OpenSSL's own among them, it can't open.
    """
    pem, password = path.read_bytes(), kafka.tls_key_password.get_secret_value().encode()
    try:
        try:
            key = serialization.load_pem_private_key(pem, password or None)
        except TypeError:  # a password was given, and the key has none
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
