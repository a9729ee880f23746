"""A certificate authority of a test's own, and files of what it signs."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

STORE_PASSWORD: Final = "of-the-stores"


class Identity(NamedTuple):
    """A certificate with its key, in the forms that servers and clients want."""

    certificate: Path
    key: Path
    """PKCS #8."""
    both: Path
    """The key, then the certificate."""
    keystore: Path
    """PKCS #12, under `STORE_PASSWORD`."""


class Authority:
    """Who signs certificates, and has its own in `ca` (PEM) and `truststore` (PKCS #12)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._root = trustme.CA()
        pem = self._root.cert_pem.bytes()
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(pem)
        self.truststore = folder / "trust.p12"
        self.truststore.write_bytes(
            pkcs12.serialize_java_truststore(
                [pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(pem), b"ca")], _sealed()
            )
        )

    def issue(self, name: str, *hosts: str, key_password: str = "") -> Identity:
        """A certificate for *hosts*, in files called *name*."""
        made = self._root.issue_cert(*hosts, common_name=name)
        key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
        chain = b"".join(each.bytes() for each in made.cert_chain_pems)
        encryption = (
            serialization.BestAvailableEncryption(key_password.encode())
            if key_password
            else serialization.NoEncryption()
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        identity = Identity(
            *(self._folder / f"{name}{ending}" for ending in (".pem", ".key", ".both", ".p12"))
        )
        identity.certificate.write_bytes(chain)
        identity.key.write_bytes(pem)
        identity.both.write_bytes(pem + chain)
        identity.keystore.write_bytes(
            pkcs12.serialize_key_and_certificates(
                name.encode(), key, x509.load_pem_x509_certificate(chain), None, _sealed()
            )
        )
        return identity


def _sealed() -> serialization.KeySerializationEncryption:
    return serialization.BestAvailableEncryption(STORE_PASSWORD.encode())
