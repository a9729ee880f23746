"""A link that opens the report of one site without a login."""

from __future__ import annotations

import msgspec


class SharedLink(msgspec.Struct, frozen=True, kw_only=True):
    """A shared link, without its secret."""

    id: int
    """Unique within the site, and never reused."""
    name: str
    """Unique within the site; chosen by the owner."""
    secret_hash: str
    """The SHA-256 of the secret in its address, in hexadecimal digits."""
    created_at: int
    """In UTC milliseconds."""
    password_hash: str = ""
    """The argon2id hash of the password that the report asks for; empty for none."""
    embeddable: bool = False
    """Whether pages of other sites may show the report in a frame."""
