"""TLS to a cluster's servers: builds the context, and diagnoses failed handshakes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from typing import Final

from analytics.errors import Misconfigured
from analytics.parsing import host_and_port
from analytics.settings.tls import TlsSettings

_CONNECT_S: Final = 5.0
_LISTEN_S: Final = 1.0
"""How long a server may take after the handshake to reject our certificate."""
_OBJECTIONS: Final = ("CERTIFICATE", "HANDSHAKE_FAILURE", "UNKNOWN_CA", "ACCESS_DENIED")
_NOT_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


def context(section: str, settings: TlsSettings) -> ssl.SSLContext:
    """Return the TLS context for the servers of *section*. Raise `Misconfigured` for a bad file."""
    if settings.tls_key is not None and settings.tls_certificate is None:
        raise Misconfigured(f"{section}.tls_key is set and {section}.tls_certificate is not")
    try:
        ssl_context = ssl.create_default_context(cafile=settings.tls_ca)
    except OSError as exc:
        raise Misconfigured(f"{section}.tls_ca: {settings.tls_ca} can't be read: {exc}") from exc
    ssl_context.check_hostname = settings.tls_names
    if settings.tls_certificate is not None:
        try:
            # Without a password given, OpenSSL would ask whoever sits at the terminal.
            password = settings.tls_key_password.get_secret_value()
            ssl_context.load_cert_chain(settings.tls_certificate, settings.tls_key, password)
        except OSError as exc:
            raise Misconfigured(
                f"{section}.tls_certificate, {section}.tls_key, {section}.tls_key_password: they"
                f" can't be used together: {exc}"
            ) from exc
    return ssl_context


def check(section: str, settings: TlsSettings, addresses: Iterable[str]) -> str:
    """Raise `Misconfigured` if a server listens at one of *addresses* but TLS with it fails.

    Return a possible cause if the fault is not certain, else "". Call it when a driver has failed
    without saying why; it takes seconds.
    """
    suspicion = ""
    for address in addresses:
        host, port = host_and_port(address)
        try:
            with socket.create_connection((host, port), timeout=_CONNECT_S) as plain:
                wrong = (
                    _refusal(section, settings, plain, host)
                    if settings.tls
                    else _unexpected(section, plain)
                )
        except (ConnectionResetError, ssl.SSLEOFError):
            # A port without TLS may do that, and a balancer without a backend.
            suspicion = suspicion or (
                f"{address} breaks off when TLS begins: if it is up, give the port that speaks"
                f" TLS, or set {section}.tls = false if none does"
            )
        except _HungUp:
            suspicion = suspicion or (
                f"{address} hangs up when TLS is agreed: if it asks for a certificate of ours, set"
                f" {section}.tls_certificate to one that it trusts, and {section}.tls_key"
            )
        except OSError:
            continue  # nobody listens, or the server waits for us, as it should
        else:
            if wrong is not None:
                raise Misconfigured(f"{address} {wrong}")
    return suspicion


class _HungUp(Exception):
    """The peer closed the connection without saying why."""


def _refusal(section: str, settings: TlsSettings, plain: socket.socket, host: str) -> str | None:
    """Return why TLS with our settings fails at *plain*; None if it works or nothing is known."""
    try:
        with context(section, settings).wrap_socket(plain, server_hostname=host) as channel:
            channel.settimeout(_LISTEN_S)
            if not channel.recv(1):  # by TLS 1.3 it objects only after the handshake
                raise _HungUp
    except ssl.SSLCertVerificationError as exc:
        return _unverified(section, settings, exc)
    except ssl.SSLError as exc:
        reason = exc.reason or ""
        if reason in _NOT_TLS:
            return f"does not speak TLS: give the port that does, or set {section}.tls = false"
        if not any(each in reason for each in _OBJECTIONS):
            raise
        if settings.tls_certificate is None:
            return (
                "asks for a certificate of ours: set "
                f"{section}.tls_certificate and {section}.tls_key"
            )
        return (
            f"does not accept our certificate ({reason}): {section}.tls_certificate must be"
            " signed by a CA that it trusts"
        )
    return None


def _unverified(section: str, settings: TlsSettings, exc: ssl.SSLCertVerificationError) -> str:
    if "match" in exc.verify_message:  # of a name or an address
        return (
            f"shows a certificate of another name ({exc.verify_message}): call it by a name that"
            f" its certificate has, or set {section}.tls_names = false"
        )
    trusted = settings.tls_ca or "the system's certificates"
    return (
        f"shows a certificate that {trusted} can't vouch for ({exc.verify_message}): set"
        f" {section}.tls_ca to the CA that has signed it"
    )


def _unexpected(section: str, plain: socket.socket) -> str | None:
    """Return the fault if *plain* is a port that speaks TLS; None if it is not."""
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE  # nothing is sent; we only ask whether it can
    plain.settimeout(_LISTEN_S)  # who speaks TLS answers at once
    try:
        anyone.wrap_socket(plain).close()
    except ssl.SSLError as exc:
        if "ALERT" not in (exc.reason or ""):
            return None
    except OSError:
        return None
    return f"speaks TLS, and {section}.tls is false: set it to true"
