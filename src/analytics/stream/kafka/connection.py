"""How to connect to Kafka: addresses, TLS, login."""

from __future__ import annotations

import ssl
from typing import TypedDict

from analytics.errors import Misconfigured
from analytics.settings import Kafka


class Options(TypedDict):
    """What every client of the driver takes."""

    bootstrap_servers: list[str]
    client_id: str
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None


def options(settings: Kafka, *, client: str) -> Options:
    """The options of a connection; *client* is how the broker's logs call us."""
    login = bool(settings.sasl_mechanism)
    if login and not settings.username:
        raise Misconfigured("kafka.sasl_mechanism is set and kafka.username is not")
    channel = "SSL" if settings.tls else "PLAINTEXT"
    return Options(
        bootstrap_servers=list(settings.bootstrap),
        client_id=client,
        security_protocol=f"SASL_{channel}" if login else channel,
        ssl_context=_context(settings) if settings.tls else None,
        sasl_mechanism=settings.sasl_mechanism or "PLAIN",
        sasl_plain_username=settings.username if login else None,
        sasl_plain_password=settings.password.get_secret_value() if login else None,
    )


def _context(settings: Kafka) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca)
        if settings.tls_certificate is not None:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as exc:
        raise Misconfigured(f"kafka.tls_*: a certificate or its key can't be read: {exc}") from exc
    return context
