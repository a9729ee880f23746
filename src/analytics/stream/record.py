"""How a log record is written as bytes: MessagePack, told apart by a tag."""

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
    """The record in *payload*. Raises `Corrupt` when it is none of ours."""
    try:
        return _decoder.decode(payload)
    except UNDECODABLE as exc:
        raise Corrupt(f"not a log record: {exc}") from exc


def fingerprint(payload: bytes) -> bytes:
    """16 bytes by which a record is told from every other."""
    return blake2b(payload, digest_size=16).digest()
