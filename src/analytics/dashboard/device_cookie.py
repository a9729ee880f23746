"""The cookie of a device that has logged in before: it opens nothing, and lets nobody be held up.

It holds a random name, signed with what only the account's current password hash gives: so nothing
is stored, any replica can check it, and a new password ends it. A device keeps the signatures of
the last few accounts that were used on it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Final, NamedTuple

NAME: Final = "analytics_device"
SECONDS: Final = 400 * 24 * 3600
"""Browsers keep no cookie for longer."""
_NAME_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_ACCOUNTS: Final = 4


class Device(NamedTuple):
    """What the cookie says, checked or not."""

    name: bytes
    signatures: tuple[bytes, ...] = ()
    """Of accounts, the last one first."""

    def belongs_to(self, key: bytes) -> bool:
        """Return whether somebody has logged in on it to the account of *key*."""
        expected = _signature(self.name, key)
        return any(hmac.compare_digest(expected, each) for each in self.signatures)

    def joined(self, key: bytes) -> Device:
        """Return the device after a login to the account of *key*."""
        mine = _signature(self.name, key)
        others = [each for each in self.signatures if each != mine]
        return Device(self.name, (mine, *others)[:_ACCOUNTS])

    def cookie(self) -> str:
        """Return the value of its cookie."""
        return base64.urlsafe_b64encode(self.name + b"".join(self.signatures)).decode()


def read(cookie: str) -> Device:
    """Return the device of a cookie; a new one for a cookie that is absent or makes no sense."""
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
