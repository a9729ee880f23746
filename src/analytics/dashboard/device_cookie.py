"""The cookie that marks a device on which somebody has logged in before.

It gives no access. It only spares its owner the delays that strangers meet (see `login_guard`). It
holds a random name, signed with a key derived from the account's current password hash: so the
server stores nothing, any replica can check it, and a new password invalidates it. A device keeps
the signatures of the last few accounts that were used on it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Final, NamedTuple

NAME: Final = "analytics_device"
SECONDS: Final = 400 * 24 * 3600
"""Browsers limit the life of cookies to 400 days."""
_NAME_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_ACCOUNTS: Final = 4


class Device(NamedTuple):
    """The content of the cookie, whose signatures may be false."""

    name: bytes
    signatures: tuple[bytes, ...] = ()
    """One for each account, the most recent first."""

    def belongs_to(self, key: bytes) -> bool:
        """Return True if the device has a valid signature of the account with *key*."""
        expected = _signature(self.name, key)
        return any(hmac.compare_digest(expected, each) for each in self.signatures)

    def joined(self, key: bytes) -> Device:
        """Return the device with the signature of the account with *key* added in front."""
        mine = _signature(self.name, key)
        others = [each for each in self.signatures if each != mine]
        return Device(self.name, (mine, *others)[:_ACCOUNTS])

    def cookie(self) -> str:
        """Return the value of the cookie."""
        return base64.urlsafe_b64encode(self.name + b"".join(self.signatures)).decode()


def read(cookie: str) -> Device:
    """Return the device of a cookie; a new device if the cookie is absent or malformed."""
    try:
        content = base64.urlsafe_b64decode(cookie)
    except (binascii.Error, ValueError):
        content = b""
    name, rest = content[:_NAME_BYTES], content[_NAME_BYTES:]
    if not rest or len(rest) % _DIGEST_BYTES or len(rest) > _ACCOUNTS * _DIGEST_BYTES:
        return Device(secrets.token_bytes(_NAME_BYTES))
    starts = range(0, len(rest), _DIGEST_BYTES)
    return Device(name, tuple(rest[start : start + _DIGEST_BYTES] for start in starts))


def _signature(name: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"device " + name, "sha256")
