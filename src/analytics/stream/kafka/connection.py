"""Connection options of Kafka (addresses, TLS, login), and reasons why connecting fails."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, TypedDict

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest

from analytics import tls
from analytics.errors import LogUnavailable, Misconfigured
from analytics.parsing import host_and_port
from analytics.settings import KafkaSettings

_ASK_MS: Final = 5_000
_CLOSE_S: Final = 5.0


class Options(TypedDict):
    """The options that every client of the driver takes."""

    bootstrap_servers: list[str]
    client_id: str
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None


def options(settings: KafkaSettings, *, client: str) -> Options:
    """Return the options of a connection; *client* is its name in the broker's logs.

    Raise `Misconfigured` for an incomplete login.
    """
    login = bool(settings.sasl_mechanism)
    if login and not settings.username:
        raise Misconfigured("kafka.sasl_mechanism is set and kafka.username is not")
    if settings.username and not login:
        raise Misconfigured("kafka.username is set and kafka.sasl_mechanism is not")
    channel = "SSL" if settings.tls else "PLAINTEXT"
    return Options(
        bootstrap_servers=list(settings.bootstrap),
        client_id=client,
        security_protocol=f"SASL_{channel}" if login else channel,
        ssl_context=tls.context("kafka", settings) if settings.tls else None,
        sasl_mechanism=settings.sasl_mechanism or "PLAIN",
        sasl_plain_username=settings.username if login else None,
        sasl_plain_password=settings.password.get_secret_value() if login else None,
    )


async def failure(
    settings: KafkaSettings, what: str, exc: BaseException
) -> LogUnavailable | Misconfigured:
    """Return our error for the driver's *exc*, which says little about a wrong login or TLS.

    It is `Misconfigured` if a broker answers, but our settings do not suit it.
    """
    if isinstance(exc, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
        return Misconfigured(
            f"Kafka does not let {settings.username or 'us'} do what we must ({exc.message}):"
            ' docs/cluster.md, "Logins and encryption", lists what to allow'
        )
    try:
        suspicion = await asyncio.to_thread(tls.check, "kafka", settings, settings.bootstrap)
        for address in settings.bootstrap:
            await _check_login(settings, address)
    except Misconfigured as wrong:
        return wrong
    return LogUnavailable(f"{what}: {suspicion or exc}")


async def _check_login(settings: KafkaSettings, address: str) -> None:
    """Raise `Misconfigured` if the broker at *address* requires another kind of login."""
    host, port = host_and_port(address)
    ours = settings.sasl_mechanism
    offered = await _offered(settings, host, port)
    if offered is None:
        return
    if not offered and ours:
        raise Misconfigured(
            f"{address} does not ask who we are: leave kafka.sasl_mechanism empty, or give the"
            " port that does"
        )
    if offered and ours not in offered:
        raise Misconfigured(
            f"{address} wants a login by {' or '.join(sorted(offered))}, and kafka.sasl_mechanism"
            f" is {ours or 'empty'}"
        )
    if ours:
        try:
            await _close(await _connected(settings, host.strip("[]"), int(port), login=True))
        except (AuthenticationFailedError, SaslAuthenticationFailed) as exc:
            raise Misconfigured(
                f"{address} does not know us: see kafka.username and kafka.password, and whether"
                f" they were made for {ours}"
            ) from exc
        except (KafkaError, OSError, TimeoutError):
            return


async def _offered(settings: KafkaSettings, host: str, port: int) -> set[str] | None:
    """Return the broker's SASL mechanisms: empty if it needs no login, None if unknown."""
    try:
        connection = await _connected(settings, host, port, login=False)
    except (KafkaError, OSError, TimeoutError):
        return None
    try:
        reply = await connection.send(SaslHandShakeRequest(settings.sasl_mechanism or "PLAIN"))
    except (KafkaError, OSError, TimeoutError):
        return None
    finally:
        await _close(connection)
    return set() if reply.error_code == IllegalSaslStateError.errno else {*reply.enabled_mechanisms}


async def _connected(
    settings: KafkaSettings, host: str, port: int, *, login: bool
) -> AIOKafkaConnection:
    ours = options(settings, client="analytics-check")
    channel = "SSL" if settings.tls else "PLAINTEXT"
    connection = AIOKafkaConnection(
        host,
        port,
        client_id=ours["client_id"],
        request_timeout_ms=_ASK_MS,
        ssl_context=ours["ssl_context"],
        security_protocol=f"SASL_{channel}" if login else channel,
        sasl_mechanism=ours["sasl_mechanism"],
        sasl_plain_username=ours["sasl_plain_username"],
        sasl_plain_password=ours["sasl_plain_password"],
    )
    try:
        await connection.connect()
    except KafkaError:  # the broker has answered: there is a connection to close
        await _close(connection)
        raise
    return connection


async def _close(connection: AIOKafkaConnection) -> None:
    """Close *connection*, and return when it is closed: TLS has to take its leave first."""
    await asyncio.wait((connection.close(),), timeout=_CLOSE_S)
