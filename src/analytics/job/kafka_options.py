"""How Spark connects to Kafka: what its client needs, as text, so that executors need no files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from analytics import tls
from analytics.errors import Misconfigured
from analytics.settings import Kafka

_SCRAM: Final = "scram.ScramLoginModule"
_PLAIN: Final = "plain.PlainLoginModule"


def connection(kafka: Kafka) -> Mapping[str, str]:
    """The options of Spark's source and sink. Raises `Misconfigured`."""
    login = bool(kafka.sasl_mechanism)
    channel = "SSL" if kafka.tls else "PLAINTEXT"
    return {
        "kafka.bootstrap.servers": ",".join(kafka.bootstrap),
        "kafka.security.protocol": f"SASL_{channel}" if login else channel,
        **(_channel(kafka) if kafka.tls else {}),
        **(_login(kafka) if login else {}),
    }


def _channel(kafka: Kafka) -> Mapping[str, str]:
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
            "kafka.ssl.keystore.key": _key(kafka.tls_key or kafka.tls_certificate),
        }
        if password := kafka.tls_key_password.get_secret_value():
            options["kafka.ssl.key.password"] = password
    return options


def _key(path: Path) -> str:
    text = path.read_text("utf-8")
    if "PRIVATE KEY-----" in text and not any(
        f"BEGIN {kind}PRIVATE KEY" in text for kind in ("", "ENCRYPTED ")
    ):
        raise Misconfigured(
            f"kafka.tls_key: {path} is no PKCS #8, the one form that Spark understands:"
            f" openssl pkcs8 -topk8 -in {path} -out NEW.pem makes one of it"
        )
    return text


def _login(kafka: Kafka) -> Mapping[str, str]:
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
