"""The byte format of a log record: MessagePack, with a tag for its type."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from analytics.errors import UNDECODABLE, Corrupt
from analytics.event import LogRecord

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[LogRecord]] = msgspec.msgpack.Decoder(LogRecord)

encode: Final = _encoder.encode


def decode(payload: bytes) -> LogRecord:
    """Decode *payload*. Raises `Corrupt` when it is not a log record."""
    try:
        return _decoder.decode(payload)
    except UNDECODABLE as exc:
        raise Corrupt(f"not a log record: {exc}") from exc


def fingerprint(payload: bytes) -> bytes:
    """Return a 16-byte fingerprint of a record."""
    return blake2b(payload, digest_size=16).digest()
