"""The settings of TLS, the same for each kind of server."""

from __future__ import annotations

from pydantic import SecretStr

from analytics.settings.section import OptionalPath, Section, setting


class TlsSettings(Section):
    """A section for servers that may be reached by TLS."""

    tls: bool = setting(default=False, help_="Connect by TLS.")
    tls_ca: OptionalPath = setting(
        None, "CA certificates (PEM) to trust; without it, those of the system."
    )
    tls_names: bool = setting(
        default=True, help_="Verify that the server's certificate matches its host name."
    )
    tls_certificate: OptionalPath = setting(
        None, "Client certificate (PEM), where the server asks for one."
    )
    tls_key: OptionalPath = setting(None, "Private key (PEM) of the client certificate.")
    tls_key_password: SecretStr = setting(
        SecretStr(""), "Password of the private key, if it has one."
    )
